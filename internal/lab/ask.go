package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"kvmnet/internal/testhost"
)

// Patience of the questions. Whoever expects an answer waits long, because a busy
// machine is no broken promise; silence is decided after a second, in which every
// protocol asks three times.
const (
	hopeful = 6 * time.Second
	patient = time.Second
)

// hostAsker asks from a test host, by all protocols at once.
type hostAsker struct{ *testhost.Host }

func (h hostAsker) ask(ctx context.Context, q question) []answer {
	timeout := patient
	if q.hope {
		timeout = hopeful
	}
	kinds := q.kinds()
	answers := make([]answer, len(kinds))
	var wg sync.WaitGroup
	for i, t := range kinds {
		wg.Go(func() {
			answers[i] = answer{t.proto, h.Probe(ctx, testhost.Probe{Proto: t.proto, To: q.to, Port: t.port, Timeout: timeout, Connect: q.mute})}
		})
	}
	wg.Wait()
	return answers
}

// question is who asks for whom.
type question struct {
	from *party
	to   netip.Addr
	at   *testhost.Echo // what hears the question if it gets there; nil = nobody listens
	hope bool           // answers are expected: be patient
	mute bool           // who is asked cannot tell whom it sees: a virtual machine

	traffics []traffic // by what to ask; none = everything
}

// everything is what is asked where no rule is about a protocol or a port.
var everything = []traffic{{proto: testhost.ICMP}, {testhost.TCP, testhost.EchoPort}, {testhost.UDP, testhost.EchoPort}}

// kinds is by what to ask. A virtual machine answers no datagrams.
func (q question) kinds() []traffic {
	kinds := q.traffics
	if len(kinds) == 0 {
		kinds = everything
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(t traffic) bool { return q.mute && t.proto == testhost.UDP })
}

// blind reports whether no answer can tell the source: a ping's does not.
func (q question) blind() bool {
	return !slices.ContainsFunc(q.kinds(), func(t traffic) bool { return t.proto != testhost.ICMP })
}

// severalSources is an outcome that nobody promises.
const severalSources = "yes, from several sources"

// verdict is what came of a question.
type verdict struct {
	outcome string
	source  netip.Addr // as the other side saw it
	detail  string     // for people who want to know why
}

// put asks, and looks on the other side as well: "no answer" and "did not get
// there" are different things.
func (q question) put(ctx context.Context) verdict {
	answers := q.from.ask(ctx, q)
	v := judge(answers, q.from.addr[familyOf(q.to)].Addr())
	if v.outcome != no || q.at == nil {
		return v
	}
	own := q.from.addr[familyOf(q.to)].Addr()
	for _, p := range q.at.Packets() {
		if q.asks(p) && p.Src == own && p.Dst == q.to {
			return verdict{outcome: arrived, detail: p.String()}
		}
	}
	return v
}

// asks tells the question from an answer to one, and from other questions.
func (q question) asks(p testhost.Packet) bool {
	return p.IsProbe() && slices.ContainsFunc(q.kinds(), func(t traffic) bool {
		return t.proto == p.Proto && (p.Proto == testhost.ICMP || p.DstPort == t.port)
	})
}

// judge reads the answers of all protocols as one. They must agree.
func judge(answers []answer, own netip.Addr) verdict {
	var good int
	var v verdict
	var details []string
	for _, a := range answers {
		details = append(details, fmt.Sprintf("%s: %s", a.proto, a.Result))
		if a.Reason == testhost.Failed { // silence would prove nothing
			v.outcome = "could not ask"
		}
		if !a.OK {
			continue
		}
		good++
		switch {
		case !a.Seen.IsValid():
		case v.source.IsValid() && v.source != a.Seen:
			v.outcome = severalSources
		default:
			v.source = a.Seen
		}
	}
	v.detail = strings.Join(details, "; ")
	switch {
	case v.outcome != "":
	case good == 0:
		v.outcome = no
	case good < len(answers):
		v.outcome = "partly"
	default:
		v.outcome = seenAs(v.source, own)
	}
	return v
}

// seenAs tells what became of a source address on the way.
func seenAs(source, own netip.Addr) string {
	switch {
	case !source.IsValid():
		return yes
	case source == own:
		return kept
	case source == machineAddr.addr(familyOf(source)):
		return rewritten
	}
	return as + source.String()
}
