package manage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// Networks as people have them: what libvirt's reader takes can be defined, its dump
// defines the same again, and those that are ours to run do.
func TestCorpusIsDefinedAndRuns(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../../../shared/corpus/networks/*.xml")
	if len(files) == 0 {
		t.Skip("there is no folder of networks beside this checkout")
	}
	counts := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { counts[tryOut(t, string(text))]++ })
	}
	t.Logf("of %d files: %v", len(files), counts)
	if counts["runs"] < len(files)/2 {
		t.Errorf("only %d of %d run", counts["runs"], len(files))
	}
}

// tryOut defines a network, dumps it, defines it by its dump and starts it, and tells
// how far that went.
func tryOut(t *testing.T, text string) string {
	r := newRig(t)
	n, err := r.defineXML(text, false)
	if err != nil {
		return refusedAs(t, err)
	}
	dump := r.dump(n.Name, true)
	r.ok(r.Undefine(t.Context(), n.Name))
	r.xml(dump)
	if again := r.dump(n.Name, true); again != dump {
		t.Errorf("dumped\n%s\nand after it was defined by that\n%s", dump, again)
	}
	err = r.Start(t.Context(), n.Name)
	switch {
	case n.Spec.Mode == spec.Bridge: // whose bridge or NIC is not on this host
		return "on the LAN"
	case err != nil:
		t.Errorf("does not start: %v\n%s", err, dump)
		return "does not start"
	}
	r.settled()
	return "runs"
}

// refusedAs tells why a network is refused: libvirt would refuse it, too, or the host's
// address on it would be one that the kernel does not answer at.
func refusedAs(t *testing.T, err error) string {
	t.Helper()
	var e *api.Error
	if errors.As(err, &e) && e.Reason == api.ReasonXML {
		return "is refused by libvirt"
	}
	if !strings.Contains(err.Error(), "is the network address of") {
		t.Errorf("not defined: %v", err)
	}
	return "has no gateway"
}
