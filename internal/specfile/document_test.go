package specfile

import (
	"os"
	"strings"
	"testing"
)

// What docs/services.md shows can be applied.
func TestDocumentedExamplesAreValid(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/services.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) < 4 {
		t.Fatalf("found %d examples", len(blocks))
	}
	for _, b := range blocks {
		b, _, _ = strings.Cut(b, "```")
		f, _ := Parse("services.md", []byte(inNetwork(b)))
		if got := report(f.Validate(nil)); got != "" {
			t.Error(got)
		}
	}
}

// inNetwork puts an example of a part where it belongs.
func inNetwork(part string) string {
	const network = "networks:\n  lab:\n    mode: nat\n    subnets:\n      - address: 192.168.100.1/24\n        dhcp: {}\n"
	indent := func(by string) string { return by + strings.ReplaceAll(strings.TrimSpace(part), "\n", "\n"+by) + "\n" }
	switch {
	case strings.HasPrefix(part, "networks:"):
		return part
	case strings.HasPrefix(part, "dns:"):
		return network + indent("    ")
	}
	return network + "    dhcp:\n" + indent("      ")
}
