"""Wordings of faults around, inside and instead of a good text, by the code of the fault.

`@` stands for the good text. The wordings imitate models, not the patterns of the checks.
"""

from collections.abc import Mapping

ANSWERS: Mapping[str, tuple[str, ...]] = {
    "media-tag": (
        "<video>\n@", "@ <image>", "<video_0> @", "@</video>", "<Video> @", "<ImageHere>@",
        "<vid_start>@<vid_end>", "<audio> @",
    ),
    "chat-template": (
        "@<|eot_id|>", "@ <|endoftext|>", "@</s>", "[INST] @ [/INST]", "<|assistant|>\n@",
        "@\n\nUser: What else happens?", "@\n\n### Instruction:\nDescribe the video.",
        "ASSISTANT: @", "@<|im_end|>\n<|im_start|>user", "<start_of_turn>model\n@",
        "@\n\nHuman: Thank you.",
    ),
    "prompt-fragment": (
        "Description: @", "**Answer:** @", "A: @", "Video description: @", "Response: @",
        "Final answer: @", "@ {{ narrative }}", "[Your answer here] @", "Output:\n@",
        "Paragraph: @", "@ {% endblock %}",
    ),
    "markup": (
        "<p>@</p>", "@<br>", "<div>@</div>", "@ [more](#)", "<response>@</response>",
        '<span class="answer">@</span>', "@ ![a still](still)", "<!-- answer --> @",
    ),
    "code-fence": (
        "```\n@", "@\n```", "```text\n@\n```\nThat is the whole of it.", "As told: ```@```",
        "~ ```markdown\n@\n```",
    ),
    "markdown": (
        "**Summary**\n\n@", "# Video description\n\n@", "### What happens\n@", "**@**", "*@*",
        "__Note__ @", "In short:\n- @", "* @\n* The scene ends there.", "~~@~~", "> @",
        "1. @\n2. The scene ends there.", "- @\n- The scene ends there.", "@\n\n---\n",
        "\u2022 @\n\u2022 The scene ends there.", "@ This is `all` that happens.",
        "| Time | What happens |\n|---|---|\n| 0:00 | @ |", "@\n\n**In short**, that is all.",
    ),
    "json-left": (
        '{"description": "@"}', '@"}', '"answer": "@"', '["@"]',
        '{"answer": "@", "confidence": 0.9}', "{'text': '@'}", '@"]}', '{\n  "text": "@"\n}',
    ),
    "too-short": ("Yes.", "Safety.", "Movement.", "Gravity.", "Cooking.", "Teamwork."),
    "evidence-mention": (
        "As the captions make clear, @", "From the tags one can tell what this is about. @",
        "@ This is what the transcript tells us.", "@ The captions also hint at a calm mood.",
        "The given frame captions show the following. @", "@ The metadata lists nothing more.",
        "@ This fits the tags of the video.", "The provided evidence depicts a simple scene. @",
        "@ All of this is drawn from the text above.", "Going through the timed captions, @",
        "@ The summary confirms this.", "@ The speech transcript adds a few words to it.",
        "@ The last frame is of little interest.", "@ So much can be read in the annotations.",
        "As per the given timeline, @", "@ This information was included in the metadata.",
        "The tags list a few of the things to be seen. @", "Judging from the subtitles, @",
        "@ The provided segments end here.", "The caption for this clip sums it up. @",
    ),
    "assistant-talk": (
        "Happy to help! @", "Alright, here goes: @", "Sure thing \u2014 @", "Good question. @",
        "Below you will find the paragraph you asked for. @", "Thank you for the details. @",
        "@ Please let me know if a longer version would be better.",
        "@ Is there anything else you would like to know?", "Here's what I came up with: @",
        "@ Hopefully this gives you a clear picture.", "Of course! @",
        "As a language model, I would put it like this: @",
        "@ Would you like me to expand on any part of it?", "@ I'd be glad to add more detail.",
        "No problem at all! @", "I've put together the following. @", "Here you go! @",
        "@ If anything is missing, just say so!", "As your assistant, I can say this. @",
        "I have tried to keep it brief. @", "@ Do you want me to go on?",
    ),
    "refusal": (
        "I apologize, but I am not able to produce this kind of text for you.",
        "I'm afraid that this is something that I can't do, as much as I would like to.",
        "Unfortunately, I cannot view the video, so no answer can come from me today.",
        "I won't be able to answer that one, as it is beyond what I can do.",
        "Sorry about that, but this request lies outside of what I can do for you.",
        "I must respectfully decline to write about the people in this video.",
        "My apologies; to watch videos is beyond the abilities that I have at present.",
        "I am a text model and have no way of watching the video in question.",
        "I'm not in a position to describe the people who appear in this video.",
        "Watching videos is not something I can do, so I have no answer to give.",
        "It is not possible for me to watch this video or to answer questions about it.",
        "As an AI, I don't have eyes, so there is nothing that I can describe here.",
        "My guidelines do not permit me to talk about people who can be recognised.",
        "I'd rather not describe this video, because it may contain private matters.",
        "Sadly, I cannot be of help with this particular request from you today.",
        "We regret that no answer can be given to a question of this kind here.",
    ),
    "hedge": (
        "@ Nothing is said about why this happens.", "@ It isn't clear what comes of it.",
        "@ There's no way to know who they are.", "@ The exact place is not revealed.",
        "@ The video gives no clue as to where this is.", "@ Their names are not given.",
        "@ We are not told why.", "@ What comes of it is unknown.",
        "@ No further details are provided.", "@ Whether they are done is not shown.",
        "@ Who the person is cannot be said for certain.", "It is not entirely clear, but @",
        "@ It is uncertain what follows.", "@ The reason behind it remains a mystery.",
        "@ One cannot tell how old they are.", "@ No information on the place is available.",
        "@ How it ends is anyone's guess.", "@ Exact numbers are not provided.",
    ),
    "aside": (
        "@ Personally, I find this rather charming.", "I suppose one could say this. @",
        "@ To be honest, it reminds me of home.", "@ (I may be wrong about the last part.)",
        "Let me think. @", "@ My guess is that they know each other.", "Hmm, @",
        "@ I'd bet that they practised a lot.", "@ I have to say that it looks good.",
        "@ As I see it, that is the point of it.", "@ [Note to self: check the order.]",
        "@ At least, that's how I see it.", "In my view, this is well done. @",
        "@ I really enjoyed this part.", "@ Just my two cents.", "@ Wow, so it goes!",
        "If you ask me, that is the best part. @", "@ (This is only a guess.)",
        "@ Come to think of it, that makes sense.",
    ),
    "wrong-language": (
        "En el video se ve a una persona que hace su trabajo con calma y luego se va de la escena.",
        "Dans cette vidéo, une personne fait son travail avec calme, puis elle quitte les lieux.",
        "In dem Video ist eine Person zu sehen, die in Ruhe ihre Arbeit macht und dann geht.",
        "视频里有一个人在认真地做自己的事情\uff0c然后慢慢离开了现场。",
        "Nel video si vede una persona che fa il suo lavoro con calma e poi lascia la scena.",
        "No vídeo vê-se uma pessoa que faz o seu trabalho com calma e depois sai da cena.",
        "この動画では、一人の人が落ち着いて作業をしてから、その場を離れます。",
        "In deze video is een persoon te zien die rustig het werk doet en dan van het toneel gaat.",
    ),
    "refers-back": (
        "As mentioned before, @", "As I described earlier, @", "Like I said, @",
        "As stated above, @", "@ This was already described earlier.", "Again, @",
        "Besides that, @", "@ See the previous answer for the rest.",
        "In addition to what was said before, @",
    ),
}  # fmt: skip
"""For answers and descriptions."""

QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "media-tag": (
        "<video>\n@", "@\n<image>", "<image_1> @", "<Video>@</Video>", "@ <vid_patch>",
    ),
    "chat-template": (
        "User: @", "@<|im_end|>", "Human: @", "[INST] @ [/INST]", "### Human: @", "@</s>",
    ),
    "prompt-fragment": (
        "Question: @", "Q: @", "**Question 1:** @", "Turn 2: @", "[Question] @",
        "@ {{ kind }}",
    ),
    "markup": ("<b>@</b>", "<question>@</question>", "<p>@", "@<br/>", "@ [1](#)"),
    "markdown": (
        "**@**", "*@*", "# @", "- @\n- Anything else?", "1. @\n2. Where?", "`@`", "> @",
    ),
    "evidence-mention": (
        "What do the captions say about the person?",
        "According to the video description, what is shown?", "Which tags describe the video best?",
        "What does the transcript reveal?", "Based on the timed captions, what comes first?",
        "What is mentioned in the summary of the video?", "What can be seen in the third frame?",
    ),
    "assistant-talk": (
        "Sure, here is a question: @", "Here's one: @", "Of course! @",
        "Certainly. My question is: @", "Okay, next question: @",
    ),
    "aside": (
        "I wonder: @", "Hmm, @", "I think this is interesting. @", "Let me ask this: @",
        "I was wondering about one thing. @",
    ),
    "refers-back": (
        "And then what?", "What does he do next?", "Why does she do that?",
        "What happens after that?", "Is there anything else?", "How do they react to this?",
        "What about the one that you just mentioned?",
    ),
}  # fmt: skip
"""For questions."""

ELSEWHERE: tuple[str, ...] = (
    "An astronaut drifts through a space station, waves at Earth and repairs a solar panel.",
    "A lawyer reads a contract in a courtroom while the jury whispers and the judge yawns.",
    "Three penguins slide across an iceberg, chase a seal and huddle against the blizzard.",
    "A librarian stacks dusty encyclopedias, stamps a passport and winds up a grandfather clock.",
    "A blacksmith forges a horseshoe, quenches glowing iron and pumps the leather bellows.",
    "An orchestra tunes violins, a conductor raises his baton and trumpets announce the finale.",
    "A nurse bandages a wrist, measures blood pressure and wheels a patient into surgery.",
    "A dragon burns a castle, knights flee on horseback and a wizard casts a lightning spell.",
)
"""Events that hardly any video shows."""

DULL: tuple[str, ...] = (
    "Number {n} of the things worth telling is a detail of the {noun} that few would look at.",
    "One may add, as remark {n}, that the {noun} has its own place in what is going on.",
    "Then, for the {n}th time, attention turns to the {noun} and stays there for a moment.",
    "In view {n} the {noun} comes up once more, in much the way it did at an earlier point.",
    "Of all that is to be seen, item {n} is the {noun}, which is part of the whole.",
)
"""Padding."""

OTHER_KINDS: Mapping[str, tuple[str, ...]] = {
    "descriptive": (
        "Why does the person in the video do all this?", "For what reason is the work done?",
        "Why is the camera kept where it is?", "What is the purpose of the whole effort?",
        "How come all this is done at all?",
    ),
    "temporal": (
        "How many people are in the video?", "What colour is the floor?",
        "Why does the person in the video do all this?", "What kind of place is shown?",
        "Where does the video take place?",
    ),
    "causal": (
        "How many people are in the video?", "What colour is the floor?",
        "Where does the video take place?", "What kind of clothes does the person wear?",
        "Who is in the video?",
    ),
}  # fmt: skip
"""For each kind, questions of another kind."""
