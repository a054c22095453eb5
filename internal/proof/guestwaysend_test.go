package proof

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"sync"
	"syscall"

	"kvmnet/internal/nstest"
)

// view is all that guests could leave on the machine.
func (r *guestRig) view() string {
	r.t.Helper()
	ports, err := r.Client.Ports(r.t.Context())
	r.fine(err)
	text := ""
	for _, p := range ports {
		text += fmt.Sprintf("port %s of %s, %s\n", p.Name, p.Spec.Network, p.Status.State)
	}
	// A bridge that has had a tap cuts segments elsewhere than one that never had. And
	// guards remember for minutes who came first.
	return firstCome.ReplaceAllString(segments.ReplaceAllString(text+nstest.Dump(r.t, r.NS), ""), "$1")
}

var (
	segments  = regexp.MustCompile(` tso_max_(size|segs) \d+`)
	firstCome = regexp.MustCompile(`(flags dynamic,timeout\s+timeout \w+)\s+elements = \{[^}]*\}`)
)

func differ(before, after string) error {
	if d := nstest.Diff(before, after); d != "" {
		return errors.New("what there is differs (-before +after):\n" + d)
	}
	return nil
}

// endAll switches one guest of each way off, and kills the other. No process is left.
func (r *guestRig) endAll(guests []*visitor) {
	r.t.Helper()
	var work sync.WaitGroup
	for _, g := range guests {
		work.Go(func() {
			pid, err := g.pid()
			if err == nil && g.number%2 == 1 {
				err = syscall.Kill(pid, syscall.SIGKILL)
			} else if err == nil {
				g.Run(r.t.Context(), "poweroff -f") // the error says that it has ended
			}
			if err != nil {
				r.t.Errorf("end %s: %v", g.name, err)
			}
			if _, err := eventually(patience, func() (int, error) { return 0, gone(pid, g.PID()) }); err != nil {
				r.t.Errorf("end %s: %v", g.name, err)
			}
		})
	}
	work.Wait()
	for _, g := range guests {
		if g.way.after != nil {
			g.way.after(g)
		}
	}
}

// gone reports processes that are still there.
func gone(pids ...int) error {
	for _, pid := range pids {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if pid > 0 && err == nil {
			return fmt.Errorf("process %d is still there: %s", pid, state)
		}
	}
	return nil
}
