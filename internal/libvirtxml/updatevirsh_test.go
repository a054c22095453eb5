package libvirtxml

import (
	"flag"
	"regexp"
	"strings"
	"testing"

	"kvmnet/internal/peers"
)

var record = flag.Bool("record", false, "write what virsh says into the scripts of testdata")

// TestVirshUpdatesAsTheScriptsSay runs the scripts with libvirt itself, so that what
// TestUpdatesDoWhatTheScriptsSay holds us to is the truth.
func TestVirshUpdatesAsTheScriptsSay(t *testing.T) {
	t.Parallel()
	lv := peers.StartLibvirt(t)
	for _, s := range scripts(t, "update") {
		name := s.name()
		file := lv.File(name+".xml", s.network)
		fresh := false
		for _, step := range s.steps {
			if !fresh {
				define(t, lv, name, file, s.network)
			}
			said := lv.Virsh(step.update().args(name)...)
			fresh = said.Code != 0
			got := outcome(message(said), "", "")
			if said.Code == 0 {
				got = outcome("", s.network, dump(lv, name))
			}
			step.heard(t, s.path, got, step.ours())
		}
		lv.Virsh("net-undefine", name)
		if *record {
			s.write(t)
		}
	}
}

// heard compares what virsh said with what the script has.
func (s *step) heard(t *testing.T, path, got string, ours bool) {
	t.Helper()
	switch {
	case *record && (ours || s.virsh != ""):
		s.virsh = got
	case *record:
		s.want = got
	case got != s.truth():
		t.Errorf("%s: virsh on %s\n%swant\n%s", path, s.line, got, s.truth())
	}
}

// truth is what virsh says.
func (s *step) truth() string {
	if s.virsh != "" {
		return s.virsh
	}
	return s.want
}

func define(t *testing.T, lv *peers.Libvirt, name, file, want string) {
	t.Helper()
	if said := lv.Virsh("net-define", file); said.Code != 0 {
		t.Fatalf("%s: %s", file, said.Err)
	}
	if got := dump(lv, name); got != want {
		t.Fatalf("%s is dumped as\n%s", file, got)
	}
}

// message is what virsh says of a failure, without the line that names what failed.
func message(said peers.Said) string {
	text := strings.TrimPrefix(strings.TrimRight(said.Err, "\n"), "error: ")
	if head, rest, ok := strings.Cut(text, "\nerror: "); ok && strings.HasPrefix(head, "Failed to ") {
		return rest
	}
	return text
}

func dump(lv *peers.Libvirt, network string) string {
	return strings.TrimSpace(lv.Virsh("net-dumpxml", network, "--inactive").Out) + "\n"
}

// ours reports whether libvirt refuses every update of the section.
func (s *step) ours() bool { return updatable[s.update().Section].place != nil }

func (s *script) name() string {
	return regexp.MustCompile(`<name>(.*)</name>`).FindStringSubmatch(s.network)[1]
}
