package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kvmnet/internal/plan"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// journal remembers what is told when, for links that are ready.
type journal struct {
	mu    sync.Mutex
	begun time.Time
	lines []string
	down  map[string]bool // links
}

func (j *journal) send(ns string, list []subject) []bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	told := make([]bool, len(list))
	for i, x := range list {
		if told[i] = !j.down[x.link]; told[i] {
			j.lines = append(j.lines, fmt.Sprintf("%s %s/%s %s", time.Since(j.begun), ns, x.link, x.addr))
		}
	}
	return told
}

func (j *journal) set(link string, down bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.down[link] = down
}

// expect compares what was told since the last time.
func (j *journal) expect(t *testing.T, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.Sort(j.lines); !slices.Equal(j.lines, want) {
		t.Errorf("told\n%q, want\n%q", j.lines, want)
	}
	j.lines = nil
}

// count compares how often something was told since the last time.
func (j *journal) count(t *testing.T, want int) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.lines); n != want {
		t.Errorf("told %d times, want %d: %q", n, want, j.lines)
	}
	j.lines = nil
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(*Announcer, *journal)) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{begun: time.Now(), down: map[string]bool{}}
		a := start(j.send)
		defer a.Close()
		test(a, j)
	})
}

func TestAnAddressIsToldThreeTimes(t *testing.T) {
	t.Parallel()
	bubble(t, func(a *Announcer, j *journal) {
		a.Announce([]plan.Addr{{NS: "r1", Link: "uplink", Prefix: prefix("192.0.2.9/24")}, {Link: "br0", Prefix: prefix("2001:db8::9/128")}})
		time.Sleep(time.Hour)
		j.expect(t, "0s /br0 2001:db8::9", "0s r1/uplink 192.0.2.9", "1s /br0 2001:db8::9", "1s r1/uplink 192.0.2.9", "2s /br0 2001:db8::9", "2s r1/uplink 192.0.2.9")
		a.Announce(nil)
		time.Sleep(time.Hour)
		j.expect(t)
	})
}

func TestRequestsInARowAreOne(t *testing.T) {
	t.Parallel()
	bubble(t, func(a *Announcer, j *journal) {
		one := []plan.Addr{{NS: "r1", Link: "uplink", Prefix: prefix("192.0.2.9/24")}}
		for range 16 {
			a.Announce(one)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		j.expect(t, "0s r1/uplink 192.0.2.9", "1s r1/uplink 192.0.2.9", "2s r1/uplink 192.0.2.9", "3s r1/uplink 192.0.2.9", "4s r1/uplink 192.0.2.9")
	})
}

func TestALinkThatIsDownIsWaitedFor(t *testing.T) {
	t.Parallel()
	bubble(t, func(a *Announcer, j *journal) {
		one := []plan.Addr{{NS: "r1", Link: "uplink", Prefix: prefix("192.0.2.9/24")}}
		j.set("uplink", true)
		a.Announce(one)
		time.Sleep(30 * time.Second)
		j.expect(t)
		j.set("uplink", false)
		time.Sleep(30 * time.Second)
		j.count(t, rounds)
		j.set("uplink", true)
		a.Announce(one)
		time.Sleep(2 * hopeless)
		j.set("uplink", false)
		time.Sleep(time.Hour)
		j.expect(t)
	})
}

func TestNothingIsToldAfterClose(t *testing.T) {
	t.Parallel()
	bubble(t, func(a *Announcer, j *journal) {
		a.Announce([]plan.Addr{{Link: "br0", Prefix: prefix("192.0.2.9/24")}})
		synctest.Wait()
		a.Close()
		a.Announce([]plan.Addr{{Link: "br0", Prefix: prefix("192.0.2.10/24")}})
		time.Sleep(time.Hour)
		j.expect(t, "0s /br0 192.0.2.9")
	})
}

// A wake-up that comes while a round is under way is not lost, and nothing spins
// when there is nothing to do.
func TestThousandAddressesOfHundredRouters(t *testing.T) {
	t.Parallel()
	bubble(t, func(a *Announcer, j *journal) {
		for r := range 100 {
			var list []plan.Addr
			for i := range 10 {
				list = append(list, plan.Addr{NS: fmt.Sprint("r", r), Link: "uplink", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(r), byte(i)}), 24)})
			}
			a.Announce(list)
		}
		time.Sleep(time.Minute)
		j.count(t, 3000)
	})
}
