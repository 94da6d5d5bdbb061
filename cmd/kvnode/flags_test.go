package main

// buildFlags are those that the tests build the program with.
var buildFlags []string
