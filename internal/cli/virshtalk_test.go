package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvmnet/internal/api"
)

// TestEditAsksAsVirshDoes edits with an editor that makes a fault each time, and
// answers with single keys.
func TestEditAsksAsVirshDoes(t *testing.T) {
	person, terminal := openTerminal(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("VISUAL", "")
	t.Setenv("EDITOR", "echo fault >>")
	f := newFake()
	socket, err := serve(t.Cleanup, f)
	if err != nil {
		t.Fatal(err)
	}
	var seen output
	go io.Copy(&seen, person)
	code := make(chan int)
	go func() {
		code <- Run(t.Context(), []string{"net-edit", "lab", "--socket", socket}, Options{Stdin: terminal, Stdout: terminal, Stderr: terminal})
	}()
	const prompt = "Failed. Try again? [y,n,f,?]: "
	for i, key := range "?xFyN" {
		until(t, "the question", func() bool {
			return strings.Count(seen.String(), prompt) == i+1 && strings.HasSuffix(seen.String(), prompt)
		})
		person.Write([]byte(string(key)))
	}
	if got := <-code; got != 1 {
		t.Errorf("exit code %d", got)
	}
	until(t, "the end", func() bool { return strings.Contains(seen.String(), "is kept in ") })
	text := strings.ReplaceAll(seen.String(), "\r\n", "\n")
	for _, want := range []string{
		prompt + "\ny - yes, start editor again\nn - no, throw away my changes\nf - force, try to redefine again\n? - print this help\n" + prompt + prompt,
		prompt + "\nerror: 2 problems; nothing changed\n",
		prompt + "\nthe text is kept in " + dir,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	kept, _ := filepath.Glob(dir + "/kvmnet-*-lab.xml")
	if len(kept) != 1 {
		t.Fatalf("kept %q", kept)
	}
	if text, err := os.ReadFile(kept[0]); err != nil || strings.Count(string(text), "fault") != 2 { // the editor ran twice
		t.Errorf("the text is %q, %v", text, err)
	}
}

// TestEditAsksBeforeItOverwritesAnother changes the network while the editor runs.
func TestEditAsksBeforeItOverwritesAnother(t *testing.T) {
	person, terminal := openTerminal(t)
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("VISUAL", "")
	f := newFake()
	socket, err := serve(t.Cleanup, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("EDITOR", "touch "+t.TempDir()+"/begun; sed -i s/lab/red/")
	begun := strings.TrimSuffix(strings.Fields(os.Getenv("EDITOR"))[1], ";")
	f.meanwhile = func() bool { _, err := os.Stat(begun); return err == nil }
	var seen output
	go io.Copy(&seen, person)
	code := make(chan int)
	go func() {
		code <- Run(t.Context(), []string{"net-edit", "lab", "--socket", socket}, Options{Stdin: terminal, Stdout: terminal, Stderr: terminal})
	}()
	const prompt = "The XML configuration was changed by another user. Try again? [y,n,f,?]: "
	until(t, "the question", func() bool { return strings.HasSuffix(seen.String(), prompt) })
	person.Write([]byte("f"))
	if got := <-code; got != 0 {
		t.Errorf("exit code %d, %q", got, seen.String())
	}
	until(t, "the end", func() bool { return strings.Contains(seen.String(), "Network red XML configuration edited.") })
}

// TestNetEventSpeaksAsVirsh follows the life of networks.
func TestNetEventSpeaksAsVirsh(t *testing.T) {
	when := time.Unix(1e9, 658e6)
	lives := []api.Event{
		{Time: when, Type: "problem", Object: "network/lab"},
		{Time: when, Type: "started", Object: "network/lab", Life: "Started"},
		{Time: when, Type: "stopped", Object: "network/red", Life: "Stopped"},
		{Time: when, Type: "metadata-change", Object: "network/red", Message: "title"},
		{Time: when, Type: "metadata-change", Object: "network/lab", Message: "element http://a"},
	}
	for _, c := range []struct {
		args, want string
		code       int
		interrupt  bool
	}{
		{"net-event --event lifecycle", "event 'lifecycle' for network lab: Started\nevents received: 1\n\n", 0, false},
		{"net-event --event lifecycle --timestamp red", "2001-09-09 01:46:40.658+0000: event 'lifecycle' for network red: Stopped\nevents received: 1\n\n", 0, false},
		{"net-event --event lifecycle --loop", "event 'lifecycle' for network lab: Started\nevent 'lifecycle' for network red: Stopped\nevent loop interrupted\nevents received: 2\n\n", 0, true},
		{"net-event --event lifecycle --loop --timeout 3 lab", "event 'lifecycle' for network lab: Started\nevent loop timed out\nevents received: 1\n\n", 0, false},
		{"net-event lazy lifecycle 1", "event loop timed out\nevents received: 0\n\n", 1, false},
		{"net-event --event metadata-change", "event 'metadata-change' for network red: type title, uri <null>\nevents received: 1\n\n", 0, false},
		{"net-event --event metadata-change lab", "event 'metadata-change' for network lab: type element, uri http://a\nevents received: 1\n\n", 0, false},
		{"-q net-event --event lifecycle", "event 'lifecycle' for network lab: Started\nevents received: 1\n", 0, false},
	} {
		t.Run(c.args, func(t *testing.T) {
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
			defer cancel()
			var out, errs output
			code := make(chan int, 1)
			go func() {
				code <- Run(ctx, append(strings.Fields(c.args), "--socket", socket), Options{Stdout: &out, Stderr: &errs})
			}()
			until(t, "the listener", f.heard)
			for _, e := range lives {
				f.tell(e)
			}
			if c.interrupt {
				until(t, "the last event", func() bool { return strings.Contains(out.String(), "network red") })
				cancel()
			}
			if got := <-code; got != c.code || out.String() != c.want || errs.String() != "" {
				t.Errorf("exit code %d, stderr %q\ngot  %q\nwant %q", got, errs.String(), out.String(), c.want)
			}
		})
	}
}

func TestNetEventRefusesWhatVirshRefuses(t *testing.T) {
	socket, err := serve(t.Cleanup, newFake())
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"":                               "error: either --list or --event <type> is required\n",
		"--event foo":                    "error: unknown event type foo\n",
		"lifecycle --timeout 1":          "error: either --list or --event <type> is required\n",
		"--event lifecycle --timeout 0":  "error: Numeric value '0' for <timeout> option is malformed or out of range\n",
		"--event lifecycle --timeout -1": "error: Numeric value '-1' for <timeout> option is malformed or out of range\n",
		"--event lifecycle --timeout x":  "error: Numeric value 'x' for <timeout> option is malformed or out of range\n",
		"nix lifecycle --timeout 1":      "error: failed to get network 'nix'\nerror: Network not found: no network with matching name 'nix'\n",
	} {
		var out, errs output
		code := Run(t.Context(), append([]string{"--socket", socket, "net-event"}, strings.Fields(args)...), Options{Stdout: &out, Stderr: &errs})
		if code != 1 || errs.String() != want || out.String() != "\n" {
			t.Errorf("%s: exit code %d, %q, %q", args, code, out.String(), errs.String())
		}
	}
	var out output
	if code := Run(t.Context(), []string{"--socket", socket, "net-event", "--list"}, Options{Stdout: &out}); code != 0 || out.String() != "lifecycle\nmetadata-change\n\n" {
		t.Errorf("the list: %d %q", code, out.String())
	}
}

// TestWarningsAreForPeople shows them at a terminal only.
func TestWarningsAreForPeople(t *testing.T) {
	socket, err := serve(t.Cleanup, newFake())
	if err != nil {
		t.Fatal(err)
	}
	person, terminal := openTerminal(t)
	var seen, out output
	go io.Copy(&seen, person)
	file := filepath.Join(t.TempDir(), "odd.xml")
	if err := os.WriteFile(file, []byte("<odd/> <name>odd</name>"), 0o600); err != nil {
		t.Fatal(err)
	}
	code := Run(t.Context(), []string{"--socket", socket, "net-define", file}, Options{Stdout: &out, Stderr: terminal})
	if code != 0 || out.String() != "Network odd defined from "+file+"\n\n" {
		t.Errorf("exit code %d, %q", code, out.String())
	}
	until(t, "the warning", func() bool { return strings.Contains(seen.String(), "warning: "+file+":1:7: <odd> has no effect") })
}
