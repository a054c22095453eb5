package libvirtxml

import (
	"os"
	"strings"
	"testing"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// blocks are the examples of a language in docs/libvirt.md.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/libvirt.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, b := range strings.Split(string(text), "```"+language+"\n")[1:] {
		b, _, _ = strings.Cut(b, "```")
		list = append(list, b)
	}
	if len(list) < 2 {
		t.Fatalf("found %d examples of %s", len(list), language)
	}
	return list
}

// What docs/libvirt.md shows is so.
func TestDocumentedExamplesAreTrue(t *testing.T) {
	t.Parallel()
	documents, specs := blocks(t, "xml"), blocks(t, "yaml")
	f, err := Parse("default.xml", []byte(documents[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(specfile.Format(f.Spec)); got != specs[0] {
		t.Errorf("the default network is\n%s\nnot\n%s", got, specs[0])
	}
	for _, text := range documents {
		f, err := Parse("net.xml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Notes) > 0 {
			t.Errorf("%v", f.Notes)
		}
		if got := Of(f.network, f.Spec.Networks[f.network]).Format(); got != text {
			t.Errorf("dumped\n%s\nnot\n%s", got, text)
		}
	}
	kept, problems := specfile.Parse("kept.yaml", []byte(specs[1]))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	text := Of("lab", kept.Spec.Networks["lab"]).Format()
	for _, want := range []string{"  <ip address='10.0.0.1' prefix='24'", "  <virtualport type='openvswitch'/>\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// The table of lines has every one that is taken over.
func TestLinesForDnsmasqAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/libvirt.md")
	if err != nil {
		t.Fatal(err)
	}
	for key := range dnsmasqKeys {
		before := &translation{from: &Network{}, to: &spec.Network{}, origin: map[string]string{}}
		if because := dnsmasqKeys[key](before, "", []string{"x.example", "y"}); because == "" && equal(before.to, &spec.Network{}) {
			continue // it is so in any case
		}
		if !strings.Contains(string(text), "`"+key) {
			t.Errorf("docs/libvirt.md does not tell of %s", key)
		}
	}
}
