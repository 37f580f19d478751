"""The word lists behind `vcgen.sim.grammar`: enough English for captions of everyday videos."""


def word_set(text: str) -> frozenset[str]:
    """The words of a text, each once."""
    return frozenset(text.split())


VERBS = word_set(
    """
    add adjust apply arrange attach bake balance beat begin bend blanche blend boil bounce bow
    break bring brush build burn carry carve catch chat cheer chew chill chop clap clean climb
    close coat color comb combine come continue cook cool cover crack crawl crouch crumble crush
    cut cycle dance deep-fry demonstrate dice dig dip discuss display dissolve dive divide do
    drag drain draw dress drill drink drive drizzle drop dry dust eat empty enjoy enter explain
    fall fasten feed fill finish fix flatten flip float fly fold follow form fry garnish gather
    get give glaze glue go grab grate grease greet grill grind hammer hand hang heat help hit
    hold hug incorporate insert iron jog juggle juice jump keep kick knead kneel knit knock
    laugh lay layer lead lean leap leave let lick lie lift light listen load look lower make
    march marinate mash massage measure melt microwave mince mix move mow open pack paddle paint
    pan pat peel perform pet pick pierce place plait plant plate play point pose pound pour
    practice preheat prepare press pressure-cook process pull punch push put race raise rake
    reach read reduce refrigerate remove repeat replace rest retain ride rinse rip roast roll
    rotate row rub run sail sand saute scoop score scramble scrape scrub seal season separate
    serve set sew shake shape share shave shift shoot shovel show shred sieve sift simmer sing
    sip sit skate skewer ski skin slice slide smash smile soak speak spin splash spoon spray
    spread sprinkle squat squeeze stack stand start steam step stick stir stir-fry stop strain
    stretch stroke stroll stuff surf sweep swim swing take talk tap taste teach tear test throw
    tie tilt toast top toss touch train transfer trim turn twist type unpack unwrap use vacuum
    wait wake walk warm wash watch water wave wear weave weigh whip whisk wipe work wrap wrestle
    write zoom
    """
)

# Also nouns or adjectives: read as verbs only where a verb must stand.
AMBIGUOUS = word_set(
    """
    balance bow brush burn clean close coat color comb cook cool cover cut dance dice dress
    drill drink drive dry dust empty finish form fry garnish glaze glue grill grind hammer hand
    heat help iron juice layer lead light look lower mash microwave open paint pan pat pet place
    plant plate play point pose pound press punch race rest roast row salt sand score season set
    shape share show skin slice slide smile spin splash spoon spray spread stack stand steam
    step stick stop stretch stroke surf swing taste test toast top train trim turn twist walk
    warm wash watch water wave work wrap
    """
)

FINITE = word_set(
    """
    appears are began begins came can comes continued continues could did do does gets goes got
    had has have is looked looks may might ran runs sat shows sits speaks spoke stands started
    starts stood takes talked talks took walked walks was went were will would
    """
)

DETERMINERS = word_set(
    """
    a all an another any both different each eight every everyone few five four her his its many
    more my nine nobody one other our seven several six some somebody someone ten that the their
    these this those three two various your
    """
)

PLURAL = word_set(
    """
    children eight few five four hands kids many men nine people players seven several six some
    ten these those three two various women
    """
)

PREPOSITIONS = word_set(
    """
    about above across after against along among around as at before behind below beside between
    by down during for from in inside into near of off on onto out outside over past through
    till to together toward towards under until up upon while with within without
    """
)

PRONOUNS = word_set(
    """
    he i it she there they we who you
    """
)

NOT_COUNTED = word_set(
    """
    beef bread butter cheese chicken dough fire flour fog food footage garlic grass hair ice
    juice lettuce meat milk music nature oil paper pasta pork rain rice salt sand smoke snow
    steam sugar sunlight sunrise sunset timelapse toast traffic water wood
    """
)

# Words in -ing that name a thing, and the nouns that make one of the word before them.
NOT_DOING = word_set(
    """
    anything building ceiling clothing during evening everything king lighting lightning morning
    nothing painting railing ring sibling something spring string thing wedding wing
    """
)

THINGS_AFTER_ING = word_set(
    """
    area bag board bowl lot machine oil pan pin pool rink room sheet table track water
    """
)

COMMON = word_set(
    """
    able about after again also another around away back because been before begin begins being
    camera can clip clips close closing continue continues credits each first from front hand
    have having into itself just lady left like look more move moves next opening other over
    part people person place right scene scenes screen screens seen several shot shots show
    shown shows side some someone speaks start still that their them then there they this
    through title turn turns video view well when where which while with woman
    """
)
