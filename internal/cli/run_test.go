package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"

	"kvmnet/internal/api"
)

func isJSON(s string) error {
	var v any
	return json.Unmarshal([]byte(s), &v)
}

func isYAML(s string) error {
	var v map[string]any
	if err := yaml.Unmarshal([]byte(s), &v); err != nil {
		return err
	}
	if strings.Contains(s, "{") && !strings.Contains(s, "{}") {
		return fmt.Errorf("YAML with the braces of JSON:\n%s", s)
	}
	return nil
}

// output is a file that a command writes and a test watches.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// until polls, and fails the test when nothing comes of it.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

func (f *fake) heard() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.listeners) > 0
}

func (f *fake) tell(e api.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.say(e)
}

func TestEventsPrintUntilInterrupted(t *testing.T) {
	tests := []struct {
		args string
		want string
	}{
		{"events", "started     network/lab\nrepaired    port/vm1              mtu was 1400\n"},
		{"events -o json", `"type":"started","object":"network/lab"}` + "\n" + `"type":"progress","done":1,"total":2}` + "\n" + `"type":"repaired","object":"port/vm1","message":"mtu was 1400"}` + "\n"},
		{"net event", "started     network/lab\n"},
		{"net event lab", "started     network/lab\n"},
		{"net event red", ""},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			f := newFake()
			var after []func()
			socket, err := serve(func(g func()) { after = append(after, g) }, f)
			defer func() {
				for i := len(after) - 1; i >= 0; i-- {
					after[i]()
				}
			}()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var out, errs output
			code := make(chan int)
			go func() {
				code <- Run(ctx, append(strings.Fields(test.args), "--socket", socket), Options{Stdout: &out, Stderr: &errs})
			}()
			until(t, "the listener", f.heard)
			f.tell(api.Event{Time: time.Unix(1e9, 0), Type: "started", Object: "network/lab"})
			f.tell(api.Event{Time: time.Unix(1e9, 0), Type: "progress", Done: 1, Total: 2})
			f.tell(api.Event{Time: time.Unix(1e9, 0), Type: "repaired", Object: "port/vm1", Message: "mtu was 1400"})
			until(t, "the events", func() bool { return len(stamps.ReplaceAllString(out.String(), "")) >= len(test.want) })
			cancel()
			if got := <-code; got != 0 {
				t.Errorf("exit code %d: %s", got, errs.String())
			}
			if got := stamps.ReplaceAllString(out.String(), ""); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestApplyShowsProgressOnATerminal runs apply with a terminal as its standard
// error, and holds the daemon until what it tells is seen.
func TestApplyShowsProgressOnATerminal(t *testing.T) {
	person, terminal := openTerminal(t)
	f := newFake()
	socket, err := serve(t.Cleanup, f)
	if err != nil {
		t.Fatal(err)
	}
	var seen output
	go io.Copy(&seen, person)
	f.duringApply = func() {
		until(t, "the listener", f.heard)
		f.tell(api.Event{Type: "progress", Done: 120, Total: 500})
		until(t, "the progress", func() bool { return strings.Contains(seen.String(), "applying 120/500") })
	}
	var out output
	file := t.TempDir() + "/lab.yaml"
	if err := os.WriteFile(file, []byte("created network/lab\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := Run(t.Context(), []string{"apply", "-f", file, "--socket", socket}, Options{Stdout: &out, Stderr: terminal}); code != 0 {
		t.Errorf("exit code %d: %s", code, seen.String())
	}
	want := eraseLine + "applying 120/500" + eraseLine
	until(t, "the end of the progress", func() bool { return seen.String() == want })
	if out.String() != "network/lab created\n" {
		t.Errorf("got %q", out.String())
	}
	// And not one that is asked to be quiet, or is no terminal. The daemon may hear
	// of the first listener's end a little later.
	until(t, "the listener's end", func() bool { return !f.heard() })
	f.duringApply = func() {
		if f.heard() {
			t.Error("a quiet apply listens")
		}
	}
	Run(t.Context(), []string{"apply", "-q", "-f", file, "--socket", socket}, Options{Stdout: &out, Stderr: terminal})
	Run(t.Context(), []string{"apply", "-f", file, "--socket", socket}, Options{Stdout: &out, Stderr: &out})
}

func TestColoursAreForTerminals(t *testing.T) {
	socket, err := serve(t.Cleanup, newFake())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args, env, value string
		code             int
		want             string // "" = no colour at all
	}{
		{"net list --all", "", "", 0, "  " + green + "running" + plainColour + "  "},
		{"verify red", "", "", 3, "  " + red + "BROKEN" + plainColour},
		{"net list --all", "NO_COLOR", "1", 0, ""},
		{"net list --all", "TERM", "dumb", 0, ""},
		{"net info lab -o json", "", "", 0, ""},
	}
	for _, test := range tests {
		t.Run(test.args+test.env, func(t *testing.T) {
			t.Setenv("TERM", "xterm")
			t.Setenv("NO_COLOR", "")
			if test.env != "" {
				t.Setenv(test.env, test.value)
			}
			person, terminal := openTerminal(t)
			var seen output
			go io.Copy(&seen, person)
			code := Run(t.Context(), append(strings.Fields(test.args), "--socket", socket), Options{Stdout: terminal, Stderr: io.Discard})
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			fmt.Fprint(terminal, "END")
			until(t, "the output", func() bool { return strings.HasSuffix(seen.String(), "END") })
			if test.want == "" && strings.Contains(seen.String(), "\x1b") || !strings.Contains(seen.String(), test.want) {
				t.Errorf("want %q in %q", test.want, seen.String())
			}
		})
	}
}

func TestInterruptedCommandSaysSo(t *testing.T) {
	f := newFake()
	socket, err := serve(t.Cleanup, f)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs output
	if code := Run(ctx, []string{"net", "list", "--socket", socket}, Options{Stderr: &errs}); code != 1 || errs.String() != "kvmnet: interrupted\n" {
		t.Errorf("got %d %q", code, errs.String())
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	n := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		n++
		if c.Long == "" || !strings.Contains(c.Example, "kvmnet") || c.Short == "" {
			t.Errorf("%s: a command needs Short, Long and Example", c.CommandPath())
		}
		for _, line := range strings.Split(c.Long+"\n"+c.Example, "\n") {
			if len(line) > 100 {
				t.Errorf("%s: the line %q is too long for a terminal", c.CommandPath(), line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(New(Options{}))
	if n < 50 {
		t.Errorf("found %d commands only", n)
	}
}

// TestEveryExampleParses runs each line of every example against a daemon, and
// wants that no flag or argument in it is unknown.
func TestEveryExampleParses(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, line := range strings.Split(c.Example, "\n") {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "   ")
			words := strings.Fields(line)
			if len(words) == 0 || words[0] != "kvmnet" || strings.ContainsAny(line, "|<>;&$'") || c.DisableFlagParsing {
				continue // virsh's verbs read their words themselves
			}
			root := New(Options{Stdout: io.Discard, Stderr: io.Discard, Stdin: strings.NewReader("")})
			cmd, rest, err := root.Find(words[1:])
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: the example %q: %v", c.CommandPath(), line, err)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(New(Options{}))
}

// TestEveryVerbOfVirshIsInTheGroupToo: what virsh can do kvmnet can do in its own
// words.
func TestEveryVerbOfVirshIsInTheGroupToo(t *testing.T) {
	root := New(Options{})
	for _, v := range verbs() {
		own, _, err := root.Find([]string{v.name})
		if err != nil || own.Name() != v.name || !own.Hidden {
			t.Errorf("%s: found %v, %v", v.name, own.Name(), err)
		}
		group, verb, _ := strings.Cut(v.name, "-")
		if c, _, err := root.Find([]string{group, verb}); err != nil || c.Name() != verb {
			t.Errorf("%s %s: found %v, %v", group, verb, c.Name(), err)
		}
	}
}
