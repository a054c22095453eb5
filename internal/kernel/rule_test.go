package kernel

import (
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

func markRule(family string, k int) plan.Rule {
	return plan.Rule{Mark: r1, NS: "r1", Family: family, Priority: 10000 + k, FwMark: uint32(100 + k), Table: 100 + k}
}

func fromRule(family, from string, k int) plan.Rule {
	return plan.Rule{Mark: r1, NS: "r1", Family: family, Priority: 11000 + k, From: pfx(from), Table: 100 + k}
}

func TestRuleIsObservedAsAdded(t *testing.T) {
	t.Parallel()
	high := markRule("ipv4", 200)
	high.FwMark = 0xffffffff
	for _, r := range []plan.Rule{
		markRule("ipv4", 1), markRule("ipv6", 1), high,
		fromRule("ipv4", "192.0.2.0/24", 1), fromRule("ipv4", "192.0.2.1/32", 1), fromRule("ipv6", "fd01::1/128", 1),
	} {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			w := newPair(t).router
			before := w.see().String()
			w.again(plan.Add, r)
			equal(t, w.see()[r.Key()], plan.Object(r))
			w.again(plan.Del, r)
			equal(t, w.see().String(), before)
		})
	}
}

func TestRuleDelTakesNoOther(t *testing.T) {
	t.Parallel()
	w := newPair(t).router
	plain := fromRule("ipv4", "192.0.2.1/32", 1)
	marked := plain
	marked.FwMark = 7 // a request without a mark would fit this one, too
	w.must(plan.Add, marked)
	w.must(plan.Del, plain)
	equal(t, lines[plan.Rule](w), []string{marked.String()})
	w.must(plan.Add, plain)
	w.must(plan.Del, marked)
	equal(t, lines[plan.Rule](w), []string{plain.String()})
}

func TestRulesOfStrangersStay(t *testing.T) {
	t.Parallel()
	w := newPair(t).router
	theirs := markRule("ipv4", 1)
	data := ruleRequest(theirs)
	data = append(data[:3:3], append(data[4:], attr(unix.FRA_PROTOCOL, []byte{unix.RTPROT_STATIC}))...)
	w.raw(unix.RTM_NEWRULE, unix.NLM_F_CREATE, data...)
	equal(t, lines[plan.Rule](w), []string{theirs.String() + " (foreign)"})
	w.must(plan.Del, theirs)
	equal(t, lines[plan.Rule](w), []string{theirs.String() + " (foreign)"})
}

func TestRulesThatSayMoreAreNotSeen(t *testing.T) {
	t.Parallel()
	w := newPair(t).router
	for _, more := range []*nl.RtAttr{
		attrText(unix.FRA_IIFNAME, "eth0"), attrText(unix.FRA_OIFNAME, "eth0"), attr32(unix.FRA_FWMASK, 0xff),
		attr32(unix.FRA_SUPPRESS_PREFIXLEN, 0),
	} {
		w.raw(unix.RTM_NEWRULE, unix.NLM_F_CREATE, append(ruleRequest(markRule("ipv4", 1)), more)...)
	}
	equal(t, lines[plan.Rule](w), []string(nil))
}

func TestRuleRefuses(t *testing.T) {
	t.Parallel()
	w := newPair(t).router
	noTable, wrongFamily, wrongSource := markRule("ipv4", 1), markRule("ipx", 1), fromRule("ipv4", "fd01::/64", 1)
	noTable.Table = 0
	w.refuses(plan.Add, noTable, "netns r1 add rule ipv4 priority 10001", "names no table")
	w.refuses(plan.Add, wrongFamily, `family "ipx"`)
	w.refuses(plan.Add, wrongSource, "fd01::/64 is not of family ipv4")
}

func TestWatchWakesForRulesAndLimitsOfARouter(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.home.must(plan.Add, bridge("lab0"), hostEnd)
	p.router.must(plan.Add, inside)
	for _, o := range []plan.Object{markRule("ipv4", 1), markRule("ipv6", 1), plan.Shape{Mark: r1, NS: "r1", Link: "eth0", Rate: 1e6}} {
		woken := p.router.watch()
		p.router.settle(woken)
		p.router.must(plan.Add, o)
		p.router.waits(woken)
		p.router.settle(woken)
		p.router.must(plan.Del, o)
		p.router.waits(woken)
	}
}
