"""The commands of `vcgen`, a module each; `vcgen.cli` starts them."""
