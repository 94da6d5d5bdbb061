package platform // want "^constraint: hidden_js.go is not part"

func later() {}
