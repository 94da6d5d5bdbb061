package httpnode

import (
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	tests := []struct{ address, listen string }{
		{"10.10.0.2:8085", "0.0.0.0:8085"},
		{"localhost:8085", "0.0.0.0:8085"},
		{"node_1.my-net.example:1", "0.0.0.0:1"},
		{"127.0.0.1:8081", "127.0.0.1:8081"},
		{"127.9.8.7:65535", "127.9.8.7:65535"},
		{"[fd00::2]:8085", "[::]:8085"},
		{strings.Repeat("a", maxHost) + ":1", "0.0.0.0:1"},
	}
	for _, test := range tests {
		if err := CheckAddress(test.address); err != nil {
			t.Errorf("%q: %v", test.address, err)
		}
		if got := DefaultListenAddress(test.address); got != test.listen {
			t.Errorf("DefaultListenAddress(%q) = %q, want %q", test.address, got, test.listen)
		}
	}
	for _, bad := range []string{
		"", ":", "a", "a:", ":1", "a:0", "a:65536", "a:-1", "a:+1", "a:01", "a:1 ", "a b:1", "a:b:1", "::1:80", "[::1:80", "[1.2.3.4]:80",
		"[]:1", "a,b:1", "é:1", "http://a:1", "a/b:1", strings.Repeat("a", maxHost+1) + ":1",
	} {
		if err := CheckAddress(bad); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
}
