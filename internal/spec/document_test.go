package spec

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// docs/services.md lists every option that has a name, and every kind of client.
func TestOptionsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/services.md")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, v6 := range []bool{false, true} {
		for _, o := range optionTable(v6) {
			words = append(words, fmt.Sprintf("`%s` %d", o.name, o.code))
		}
	}
	for _, client := range BootClients {
		words = append(words, "`"+client+"`")
	}
	for prefix := range valuePrefixes {
		words = append(words, "`"+prefix+":`")
	}
	for _, w := range words {
		if !strings.Contains(string(text), w) {
			t.Errorf("docs/services.md does not tell of %s", w)
		}
	}
}
