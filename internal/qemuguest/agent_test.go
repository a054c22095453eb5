package qemuguest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// guestEnd plays the guest's side of the serial line.
type guestEnd struct {
	t        *testing.T
	agent    *agent
	commands *bufio.Reader
	answers  *io.PipeWriter
	leave    func() // nothing is read any more
}

// withGuest runs a test in virtual time with an agent whose guest the test plays.
func withGuest(t *testing.T, test func(*testing.T, *guestEnd)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cr, cw := io.Pipe()
		ar, aw := io.Pipe()
		g := &guestEnd{t, newAgent(cw, ar), bufio.NewReader(cr), aw, func() { cr.Close() }}
		test(t, g)
		cr.Close()
		aw.Close()
		g.agent.close()
	})
}

// expect reads the next command.
func (g *guestEnd) expect(want string) {
	g.t.Helper()
	if got, err := g.commands.ReadString('\n'); got != want+"\n" || err != nil {
		g.t.Errorf("the guest was sent %.80q, %v; want %q", got, err, want)
	}
}

func (g *guestEnd) say(text string) { io.WriteString(g.answers, text) }

// silent runs a command that must be given up after so long.
func (g *guestEnd) silent(after time.Duration) {
	g.t.Helper()
	began := time.Now()
	_, _, err := g.agent.run(context.Background(), "true", nil)
	if took := time.Since(began); !errors.Is(err, errSilent) || took != after {
		g.t.Errorf("after %s: %v; want %v after %s", took, err, errSilent, after)
	}
}

func TestAgentSkipsNoiseAndRepliesOfGivenUpCommands(t *testing.T) {
	withGuest(t, func(t *testing.T, g *guestEnd) {
		g.say("SeaBIOS\r\n@ready\n")
		<-g.agent.ready
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		if _, _, err := g.agent.run(ctx, "one", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one: got %v, want %v", err, context.DeadlineExceeded)
		}
		go func() {
			g.expect("1 1 b25l") // a second, the least
			g.expect("2 60 dHdv")
			g.say("@reply 1 137 4\nlatenoise\n@reply 2 5 10\n@reply 2 \n")
		}()
		out, exit, err := g.agent.run(context.Background(), "two", nil)
		if string(out) != "@reply 2 \n" || exit != 5 || err != nil {
			t.Errorf("two: got %q, %d, %v", out, exit, err)
		}
	})
}

func TestAgentEndsWithTheGuest(t *testing.T) {
	withGuest(t, func(t *testing.T, g *guestEnd) {
		ended := make(chan struct{})
		go func() {
			g.expect("1 60 b25l")
			close(ended)
		}()
		if _, _, err := g.agent.run(context.Background(), "one", ended); !errors.Is(err, errEnded) {
			t.Errorf("got %v, want %v", err, errEnded)
		}
		g.leave()
		if _, _, err := g.agent.run(context.Background(), "two", nil); !errors.Is(err, errEnded) {
			t.Errorf("after the end: got %v, want %v", err, errEnded)
		}
	})
}

// A guest that took a command and never answers is given up after the limit of the
// command, a grace, and the limits of those before it.
func TestAgentGivesUpAGuestThatDoesNotAnswer(t *testing.T) {
	withGuest(t, func(t *testing.T, g *guestEnd) {
		go func() {
			for range 3 {
				g.commands.ReadString('\n')
			}
		}()
		g.silent(runLimit + grace)
		g.silent(2*runLimit + grace)
		g.say("@reply 1 0 0\n@reply 2 0 0\n") // it was only slow
		synctest.Wait()
		g.silent(runLimit + grace)
	})
}

// Nobody waits longer because the line does not move, and what was never sent does
// not count.
func TestAgentGivesUpAGuestThatDoesNotRead(t *testing.T) {
	withGuest(t, func(t *testing.T, g *guestEnd) {
		g.silent(runLimit + grace) // under way
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, _, err := g.agent.run(ctx, "true", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		g.silent(2*runLimit + grace)
	})
}

// The script that answers in a guest, without a guest around it.
func TestAgentScriptAnswersWhatItIsAsked(t *testing.T) {
	t.Parallel()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs busybox: apt install busybox-static")
	}
	cmd := exec.Command(busybox, "sh", "agent.sh")
	cmd.Env = append(cmd.Environ(), "TMPDIR="+t.TempDir())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := newAgent(in, out)
	t.Cleanup(func() { a.close(); cmd.Wait() })
	<-a.ready
	for command, want := range map[string]struct {
		output string
		exit   int
	}{
		"exit 3":              {"", 3},
		"echo '@reply 1 0 0'": {"@reply 1 0 0\n", 0},
		"cat; echo e >&2":     {"e\n", 0},
		"echo '" + strings.Repeat("y", 9000) + "'": {strings.Repeat("y", 9000) + "\n", 0},
	} {
		out, exit, err := a.run(t.Context(), command, nil)
		if string(out) != want.output || exit != want.exit || err != nil {
			t.Errorf("%.40q: got %.80q, %d, %v; want %.80q, %d", command, out, exit, err, want.output, want.exit)
		}
	}
}
