package libvirtxml

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Any text is read or refused; a dump reads back as it is.
func FuzzRead(f *testing.F) {
	names, _ := filepath.Glob("testdata/virsh/*.txt")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			switch mark, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); mark {
			case ">":
				f.Add(answer{document: unescapedLine(rest), body: true}.text())
			case ">>":
				f.Add(unescapedLine(rest))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) { readsBack(t, text) })
}
