package resolved

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// Pauses. A pass costs three short calls, a connection less.
const (
	firstPause   = 100 * time.Millisecond // before looking again
	firstConnect = 250 * time.Millisecond // before connecting again
	longestPause = 30 * time.Second       // of either
	lookAgain    = 10 * time.Second       // without being told: not every change of a link is
	callTimeout  = 5 * time.Second
)

// run connects again and again, from the first wanted link on.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	select {
	case <-ctx.Done():
		return
	case <-c.wake:
	}
	for pause := firstConnect; ctx.Err() == nil; pause = min(2*pause, longestPause) {
		if s, err := c.connect(ctx); err != nil {
			c.report(connectState(err))
		} else {
			pause = firstConnect
			c.serve(ctx, s)
			s.conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// connectState: a host where nobody listens is a host without systemd-resolved.
func connectState(err error) string {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return Absent
	}
	return fmt.Sprintf("connect to D-Bus: %v", err)
}

// serve makes passes until the connection is lost or the context ends. The pause
// before the next one grows while passes find something to do, so that neither a
// link that is refused nor a program that wants other settings on it makes us
// busy.
func (c *Client) serve(ctx context.Context, s *session) {
	for pause := firstPause; ; {
		want := c.wanted()
		worked, err := s.pass(ctx, want)
		if ctx.Err() != nil {
			return
		}
		c.report(passState(want, err))
		failed := err != nil && !errors.Is(err, errAbsent)
		if pause = min(2*pause, longestPause); !worked && !failed {
			pause = firstPause
		}
		due, fresh := s.rest(ctx, c.wake, pause, failed)
		if !due {
			return
		}
		if fresh {
			pause = firstPause
		}
	}
}

func passState(want map[int]registration, err error) string {
	if errors.Is(err, errAbsent) {
		return Absent
	}
	if err != nil {
		first, more, many := strings.Cut(err.Error(), "\n")
		if many {
			first += fmt.Sprintf(" (and %d more)", 1+strings.Count(more, "\n"))
		}
		return first
	}
	for _, w := range want {
		if !w.empty() {
			return Registered
		}
	}
	return Idle
}

// rest waits until a pass is due: at once when other links are wanted or another
// systemd-resolved has come (fresh), after the pause when settings changed or
// the last pass failed, and after a while in any case. It is not due when the connection is lost or the context
// ends.
func (s *session) rest(ctx context.Context, wake <-chan struct{}, pause time.Duration, failed bool) (due, fresh bool) {
	timer, told := time.After(lookAgain), failed
	if failed {
		timer = time.After(pause)
	}
	for {
		select {
		case <-ctx.Done():
			return false, false
		case <-wake:
			return true, true
		case <-timer:
			return true, false
		case signal, open := <-s.signals:
			if !open {
				return false, false
			}
			if isOwnerChange(signal) {
				return true, true
			}
			if !told {
				timer, told = time.After(pause), true
			}
		}
	}
}

func isOwnerChange(s *dbus.Signal) bool { return s.Name == busName+".NameOwnerChanged" }
