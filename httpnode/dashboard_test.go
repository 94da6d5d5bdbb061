package httpnode

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDashboard wants every metric that the dashboard shows to be one of SPEC.md.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../deploy/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatal("the dashboard is not JSON")
	}
	spec, err := os.ReadFile("../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`sequitur_([a-z_]+)`).FindAllStringSubmatch(string(text), -1)
	if len(shown) < 20 {
		t.Errorf("the dashboard shows %d metrics", len(shown))
	}
	for _, match := range shown {
		if name := strings.TrimSuffix(match[1], "_bucket"); !strings.Contains(string(spec), "`"+name+"`") && !strings.Contains(string(spec), "`"+name+"{") {
			t.Errorf("SPEC.md does not name %s", name)
		}
	}
}
