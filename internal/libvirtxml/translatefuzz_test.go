package libvirtxml

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/translate/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Add([]byte(untidy))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("net.xml", text)
		if err != nil {
			return
		}
		for _, n := range file.Notes {
			if n.Message == "" || n.Line < 1 {
				t.Fatalf("bad note %+v", n)
			}
		}
		if len(file.Validate(nil)) == 0 {
			comesBack(t, file)
		}
	})
}
