package main

import (
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/internal/apitest"
)
