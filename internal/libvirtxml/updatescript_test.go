package libvirtxml

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// script is a file of testdata/update: a network as libvirt dumps it, and what
// becomes of it by updates, each of them made on the network as it is there; or one
// of testdata/port: a network, and what becomes of ports that are made on it, each
// of them the only one.
type script struct {
	path    string
	network string
	steps   []*step
}

// step is an update, or a port, and what becomes of it. Lines that begin with "virsh: "
// tell what virsh says where we differ, and those with "# " why we do.
type step struct {
	line   string // behind "$ "
	want   string
	virsh  string
	reason string
}

// scripts reads all scripts.
func scripts(t testing.TB, folder string) []*script {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var all []*script
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, readScript(path, string(text)))
	}
	return all
}

func readScript(path, text string) *script {
	network, steps, _ := strings.Cut(text, "\n\n")
	s := &script{path: path, network: network + "\n"}
	for line := range strings.Lines(steps) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "$ "); ok {
			s.steps = append(s.steps, &step{line: rest})
		} else if line != "" {
			s.steps[len(s.steps)-1].take(line)
		}
	}
	return s
}

func (s *step) take(line string) {
	if said, ok := strings.CutPrefix(line, "virsh: "); ok {
		s.virsh += said + "\n"
	} else if why, ok := strings.CutPrefix(line, "# "); ok {
		s.reason += why + "\n"
	} else {
		s.want += line + "\n"
	}
}

// update reads "add-first ip-dhcp-host 1 <host/>", where the number may be absent.
func (s *step) update() Update {
	head, xml, _ := strings.Cut(s.line, " <")
	words := append(strings.Fields(head), "", "")
	u := Update{Command: words[0], Section: words[1], Parent: -1, XML: "<" + xml}
	if words[2] != "" {
		u.Parent, _ = strconv.Atoi(words[2])
	}
	return u
}

// args are the arguments that virsh takes for it.
func (u Update) args(network string) []string {
	args := []string{"net-update", network, u.Command, u.Section, u.XML, "--config"}
	if u.Parent >= 0 {
		args = append(args, "--parent-index", strconv.Itoa(u.Parent))
	}
	return args
}

// write writes the script back.
func (s *script) write(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString(s.network)
	for _, step := range s.steps {
		if step.virsh == step.want {
			step.virsh = ""
		}
		fmt.Fprintf(&b, "\n$ %s\n%s%s%s", step.line, prefixed("# ", step.reason), prefixed("virsh: ", step.virsh), step.want)
	}
	if err := os.WriteFile(s.path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func prefixed(prefix, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(prefix + line)
	}
	return b.String()
}

// outcome is how a step's result is written down: the error, or the lines of the
// dump that it took away and put there.
func outcome(message, before, after string) string {
	if message != "" {
		return "error: " + message + "\n"
	}
	old, now := strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n")
	start := 0
	for start < min(len(old), len(now)) && old[start] == now[start] {
		start++
	}
	for len(old) > start && len(now) > start && old[len(old)-1] == now[len(now)-1] {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	if len(old) == start && len(now) == start {
		return "as it was\n"
	}
	return fmt.Sprintf("line %d\n", start+1) + prefixed("-", strings.Join(old[start:], "")) + prefixed("+", strings.Join(now[start:], ""))
}

// noLimits is what libvirt writes of limits that are all 0. It reads it as none.
var noLimits = regexp.MustCompile(` *<bandwidth[^>]*>\n *</bandwidth>\n`)

// settled is a dump without what goes away when it is read again.
func settled(dump string) string { return noLimits.ReplaceAllString(dump, "") }
