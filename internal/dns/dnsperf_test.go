package dns

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
)

// perfNames is how many different names the benchmarks ask for.
const perfNames = 1000

// BenchmarkLocalNamesAgainstDnsmasq has dnsperf on a guest ask for names of the
// network, of this server and of dnsmasq in turn, on the same addresses.
func BenchmarkLocalNamesAgainstDnsmasq(b *testing.B) {
	c := labPlan()
	var hosts strings.Builder
	for i := range perfNames {
		a := netip.AddrFrom4([4]byte{192, 168, byte(101 + i/250), byte(1 + i%250)})
		c.Names[fmt.Sprintf("host%d", i)] = []netip.Addr{a}
		fmt.Fprintf(&hosts, "%s host%d.lab.internal host%d\n", a, i, i)
	}
	race(b, newRace(b, c, "host%d.lab.internal A\n", hosts.String()))
}

// BenchmarkCachedForwardsAgainstDnsmasq asks for names that an upstream server
// knows and that both have in their caches.
func BenchmarkCachedForwardsAgainstDnsmasq(b *testing.B) {
	c := labPlan()
	c.Cache = 2 * perfNames
	c.Forwarders = []netip.AddrPort{server("127.0.0.1:5300")}
	r := newRace(b, c, "www%d.example.com A\n", "")
	upstreamAt(b, r.w.machine.NS(), "127.0.0.1:5300", answering(86400, "10.9.9.9"))
	race(b, r)
}

// racetrack is a world and what a benchmark runs in it.
type racetrack struct {
	w         *world
	c         *plan.DNS
	questions string // file for dnsperf
	dnsmasq   []string
}

func newRace(b *testing.B, c *plan.DNS, question, hosts string) *racetrack {
	need(b, "dnsperf", "dnsperf")
	need(b, "dnsmasq", "dnsmasq-base")
	dir := b.TempDir()
	r := &racetrack{w: newWorld(b, nil, Options{Names: labNames()}), c: c, questions: filepath.Join(dir, "questions")}
	var list strings.Builder
	for i := range perfNames {
		fmt.Fprintf(&list, question, i)
	}
	must(b, os.WriteFile(r.questions, []byte(list.String()), 0o644))
	must(b, os.WriteFile(filepath.Join(dir, "hosts"), []byte(hosts), 0o644))
	r.dnsmasq = []string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--bind-interfaces", "--listen-address=192.168.100.1",
		"--no-hosts", "--addn-hosts=" + filepath.Join(dir, "hosts"), "--domain=lab.internal", "--local=/lab.internal/",
		"--no-resolv", "--server=127.0.0.1#5300", "--cache-size=10000", "--dns-forward-max=2000",
	}
	return r
}

// race reports the queries a second of both, each the best of its runs, and the
// processor time of one query, which depends less on who else computes. That of
// dnsperf says how fast it can ask: one processor is all it uses, and on a
// machine with two it is what limits the faster server.
func race(b *testing.B, r *racetrack) {
	var ours, theirs speed
	for b.Loop() {
		ours = ours.or(r.perfOurs(b))
		theirs = theirs.or(r.perfDnsmasq(b))
	}
	b.ReportMetric(ours.rate, "kvmnet-q/s")
	b.ReportMetric(theirs.rate, "dnsmasq-q/s")
	b.ReportMetric(ours.rate/theirs.rate, "ratio")
	b.ReportMetric(ours.cpu, "kvmnet-cpu-µs/q")
	b.ReportMetric(theirs.cpu, "dnsmasq-cpu-µs/q")
	b.ReportMetric(ours.asking, "dnsperf-cpu-µs/q")
}

// speed is queries a second and microseconds of a processor a query, of the
// server and of dnsperf.
type speed struct{ rate, cpu, asking float64 }

func (s speed) or(t speed) speed {
	if t.rate > s.rate {
		return t
	}
	return s
}

func (r *racetrack) perfOurs(b *testing.B) speed {
	must(b, r.w.s.Set(r.c, r.w.bridge))
	self, children := used(b, unix.RUSAGE_SELF), used(b, unix.RUSAGE_CHILDREN)
	rate, count := r.perf(b)
	self, children = used(b, unix.RUSAGE_SELF)-self, used(b, unix.RUSAGE_CHILDREN)-children
	must(b, r.w.s.Set(nil, 0))
	return speed{rate, self / count, children / count}
}

func (r *racetrack) perfDnsmasq(b *testing.B) speed {
	cmd := r.w.machine.Command(b.Context(), "dnsmasq", r.dnsmasq...)
	must(b, cmd.Start())
	nstest.Eventually(b, ample, func() error {
		_, err := r.w.guest.Command(b.Context(), "dig", "+time=1", "+tries=1", "@192.168.100.1", "gateway.lab.internal").Output()
		return err
	})
	rate, count := r.perf(b)
	cmd.Close()
	return speed{rate: rate, cpu: float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds()) / count}
}

// used is the processor time of this process or of its children that have ended,
// in microseconds.
func used(b *testing.B, who int) float64 {
	var u unix.Rusage
	must(b, unix.Getrusage(who, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e3
}

var (
	perfRate  = regexp.MustCompile(`Queries per second:\s+([0-9.]+)`)
	perfCount = regexp.MustCompile(`Queries completed:\s+([0-9]+)`)
	perfCodes = regexp.MustCompile(`Response codes:\s+NOERROR [0-9]+ \(100.00%\)`)
)

// perf asks every question once, so that all is cached, and then for seconds. It
// returns the queries a second and how many they were.
func (r *racetrack) perf(b *testing.B) (rate, count float64) {
	args := []string{"-s", "192.168.100.1", "-d", r.questions, "-q", "200", "-c", "4"}
	nstest.Run(b, r.w.guest.NS(), "dnsperf", append(args, "-n", "1")...)
	out := nstest.Run(b, r.w.guest.NS(), "dnsperf", append(args, "-l", "4")...)
	if !perfCodes.MatchString(out) {
		b.Fatal(out)
	}
	rate, _ = strconv.ParseFloat(perfRate.FindStringSubmatch(out)[1], 64)
	count, _ = strconv.ParseFloat(perfCount.FindStringSubmatch(out)[1], 64)
	return rate, count
}
