// Command loadtest measures programs.
package main

import _ "github.com/julienschmidt/httprouter"

func main() {}
