package cli

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
	"golang.org/x/sys/unix"
)

// stamps are the times of events.
var stamps = regexp.MustCompile(`(?m)^(\{"time":"[^"]*",|[0-9-]+ [0-9:]+  )`)

// openTerminal returns both ends of a pseudo-terminal that changes nothing of
// what passes.
func openTerminal(t *testing.T) (person, terminal *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs a pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return person, terminal
}

func TestTableStaysAlignedInColours(t *testing.T) {
	tab := table{head: []string{"NAME", "STATE", "MODE"}}
	tab.add("running", "running", "nat")
	tab.add("b", "on demand", "")
	tab.add("grün", "?", "open")
	var plain, painted bytes.Buffer
	tab.write(&plain, false)
	tab.write(&painted, true)
	if !strings.Contains(painted.String(), "running  "+green+"running"+plainColour) {
		t.Errorf("only the state is to be green:\n%q", painted.String())
	}
	if got := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(painted.String(), ""); got != plain.String() {
		t.Errorf("got\n%swant\n%s", got, plain.String())
	}
	for _, line := range strings.Split(strings.TrimSpace(plain.String()), "\n") {
		if n := len(strings.Fields(strings.ReplaceAll(line, "on demand", "x"))); n != 3 {
			t.Errorf("%q has %d words, want 3", line, n)
		}
	}
}

func TestYAMLHasTheTypesOfJSON(t *testing.T) {
	in := map[string]any{"yes": "yes", "true": true, "num": "0123", "int": 12, "float": 1.5, "null": nil, "empty": "", "colon": "a: b", "mac": "52:54:00:11:22:33",
		"lines": "a\nb\n", "hash": "# x", "list": []any{}, "map": map[string]any{}, "nested": []any{map[string]any{"a": "1"}}, "uni": "→ <b>"}
	var b bytes.Buffer
	if err := writeYAML(&b, in); err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := yaml.Unmarshal(b.Bytes(), &out); err != nil {
		t.Fatalf("%v in\n%s", err, &b)
	}
	for name, want := range in {
		if fmt.Sprintf("%#v", out[name]) != fmt.Sprintf("%#v", want) {
			t.Errorf("%s: got %#v, want %#v in\n%s", name, out[name], want, &b)
		}
	}
}

func TestQEMUIDBeginsWithALetter(t *testing.T) {
	for name, want := range map[string]string{"vm1": "vm1", "1vm": "net-1vm", "": "net-", "a/b c": "a-b-c", "ü": "net--", "V_1.x-2": "V_1.x-2", "-x": "net--x"} {
		if got := qemuID(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
