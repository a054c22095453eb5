package libvirtxml

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// refusedHere are the networks of the corpus that libvirt takes and kvmnet does not,
// with the problem. All have the first address of a subnet for the host's: no guest
// takes that for a router, in IPv4 it is the network itself.
var refusedHere = map[string]string{
	"043.xml": "172.16.0.0 is the network address of 172.16.0.0/16",
	"123.xml": "fd00:beef:12:: is the network address of fd00:beef:12::/48",
}

// What people keep as networks of libvirt. What libvirt takes is taken, its dump is
// the one that libvirt prints, and defining that again changes nothing.
func TestCorpusIsTranslatedAndComesBack(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../shared/corpus/networks/*.xml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the corpus of networks is not beside the checkout")
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Parse(filepath.Base(name), text)
			if err != nil {
				return // libvirt refuses it, too
			}
			want := refusedHere[filepath.Base(name)]
			problems := f.Validate(nil)
			if len(problems) > 0 && (want == "" || problems[0].Message != want) || len(problems) == 0 && want != "" {
				t.Errorf("libvirt takes it, and here %q is wrong: %v", want, problems)
			}
			comesBack(t, f)
		})
	}
}

// comesBack expects the dump of what was read to be libvirt's, and to stay.
func comesBack(t *testing.T, f *File) {
	t.Helper()
	n := f.Spec.Networks[f.network]
	dump := Of(f.network, n).Format()
	if got, want := withoutOwn(Of(f.network, n)), withoutOwn(canonical(f.doc.Network)); got != want {
		t.Errorf("dumped\n%s\nwant\n%s\nof\n%s", got, want, written(n))
	}
	again, err := Parse("dump.xml", []byte(dump))
	if err != nil {
		t.Fatalf("%v\n%s", err, dump)
	}
	if got, want := written(again.Spec.Networks[f.network]), written(n); got != want {
		t.Errorf("defined again\n%s\nwant\n%s", got, want)
	}
}

// withoutOwn is a dump without the element of our own, which people may have edited.
func withoutOwn(m *Network) string {
	before := len(m.Metadata)
	m.Metadata = slices.DeleteFunc(slices.Clone(m.Metadata), func(e Element) bool { return e.Namespace == ownNamespace })
	if len(m.Metadata) < before && len(m.Metadata) == 0 {
		m.Metadata = nil // nobody else wrote any
	}
	return m.Format()
}
