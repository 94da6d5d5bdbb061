package browser

import _ "net/http" // want "^reach: ./cmd/simulate/browser must not reach net/http: ./cmd/simulate/browser → net/http$"
