package libvirtxml

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// Each file of testdata/translate has a document and, under want, the YAML that says
// the same, the notes and the problems.
func TestDocumentsAreTranslated(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/translate/*.txtar")
	if err != nil || len(names) < 20 {
		t.Fatalf("found %d documents: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Parse("net.xml", archive.Files[0].Data)
			if err != nil {
				t.Fatal(err)
			}
			problems := f.Validate(nil)
			got, want := string(specfile.Format(f.Spec))+report("note", f.Notes)+report("problem", problems), &archive.Files[1].Data
			if *update {
				*want = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(*want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, *want)
			}
			if len(problems) == 0 {
				comesBack(t, f)
			}
		})
	}
}

// report lists problems, without the lines they are in.
func report(what string, problems []specfile.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		p.Excerpt = ""
		b.WriteString(what + " " + strings.ReplaceAll(p.String(), "\n", "\n  ") + "\n")
	}
	return b.String()
}

// What is left out must not put what stays at the lines of something else.
func TestProblemsStayAtTheirElementsWhenOthersAreLeftOut(t *testing.T) {
	t.Parallel()
	text := "<network><name>n</name><dns>\n" +
		"<srv service='a' protocol='tcp' domain='-x'/>\n<srv service='ok' protocol='tcp'/>\n<srv service='c' protocol='tcp' domain='y-'/>\n<srv service='fine' protocol='tcp' domain='x'/>\n" +
		"</dns><ip address='10.0.0.1' prefix='24'/></network>"
	f, err := Parse("n.xml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := report("note", f.Notes); strings.Count(got, "note n.xml:2:1:") != 1 || strings.Count(got, "note n.xml:4:1:") != 1 || len(f.Notes) != 2 {
		t.Errorf("notes\n%s", got)
	}
	for i, line := range []int{3, 5} {
		if p := f.Locate(spec.Problem{Path: spec.Index("networks.n.dns.srv", i)}); p.Line != line {
			t.Errorf("record %d is at line %d, not %d", i, p.Line, line)
		}
	}
}

// A document can be at fault in thousands of places, and is read in a moment all the
// same. Unbounded it would take minutes; this bound only has to tell the two apart.
func TestManyFaultsTakeNoTime(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("<network><name>n</name><dns>")
	for i := range 2000 {
		fmt.Fprintf(&b, "<srv service='a' protocol='tcp' domain='-%d'/>", i)
	}
	b.WriteString("</dns><ip address='10.0.0.1' prefix='8'><dhcp>")
	for i := range 1000 {
		fmt.Fprintf(&b, "<host mac='52:54:00:00:%02x:%02x' name='x' ip='192.168.%d.%d'/>", i/256, i%256, i/256, i%256)
	}
	b.WriteString("</dhcp></ip></network>")
	begin := time.Now()
	f, err := Parse("n.xml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Notes) < 3000 {
		t.Errorf("%d notes", len(f.Notes))
	}
	if d := time.Since(begin); d > 30*time.Second {
		t.Errorf("took %v", d)
	}
}
