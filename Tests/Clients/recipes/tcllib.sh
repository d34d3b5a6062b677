tclsh tcllib
