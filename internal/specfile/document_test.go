package specfile

import (
	"os"
	"strings"
	"testing"
)

// What the documentation shows can be applied.
func TestDocumentedExamplesAreValid(t *testing.T) {
	t.Parallel()
	for name, least := range map[string]int{"services.md": 4, "ports.md": 1} {
		text, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(text), "```yaml\n")[1:]
		if len(blocks) < least {
			t.Fatalf("found %d examples in %s", len(blocks), name)
		}
		for _, b := range blocks {
			b, _, _ = strings.Cut(b, "```")
			f, _ := Parse(name, []byte(inNetwork(b)))
			if got := report(f.Validate(nil)); got != "" {
				t.Error(got)
			}
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
	case strings.HasPrefix(part, "ports:"):
		return network + part
	case strings.HasPrefix(part, "dns:"):
		return network + indent("    ")
	}
	return network + "    dhcp:\n" + indent("      ")
}
