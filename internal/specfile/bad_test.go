package specfile

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected messages and texts in testdata")

// Each file of testdata/bad has a lab.yaml and, under want, every message that
// applying it prints.
func TestBadFilesAreExplained(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(names) < 45 {
		t.Fatalf("found %d bad files: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text, want := archive.Files[0].Data, &archive.Files[1].Data
			f, _ := Parse("lab.yaml", text)
			got := report(f.Validate(nil))
			if got == "" {
				t.Fatal("no problem found")
			}
			if *update {
				*want = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(*want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, *want)
			}
		})
	}
}

func report(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}
