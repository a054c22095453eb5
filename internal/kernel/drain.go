package kernel

import (
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// How long a link that is about to go may take to send what waits on it. The first
// frame still goes at the old rate: 3 kB at 64 kbit/s are 0.4 s.
const (
	drainFor   = 500 * time.Millisecond
	drainEvery = 2 * time.Millisecond
)

// drain lets an ifb send what waits for its limit: nothing is led there any more, and
// what the queue still holds would be dropped with the link.
func (a *applier) drain(index int) {
	list, err := a.k.buckets()
	s, limited := list[index]
	if err != nil || !limited || a.k.waiting(index) == 0 {
		return
	}
	if a.setBucket(index, bucketFor(plan.Shape{Rate: unlimited}, s.MTU)) == nil {
		a.empties(index)
	}
}

// The kernel counts time in nanoseconds: at boundless no packet takes any.
const (
	unlimited = 1e12    // bits a second
	boundless = 1 << 60 // bytes a second
)

// makeWay has the root qdisc of a link send what waits there before its bucket becomes
// b, a smaller one. A packet that waits and does not fit it any more would wait for
// ever, and all behind it (tbf_dequeue does not take it apart as tbf_enqueue does).
// What comes meanwhile is cut to fit already: that goes by the burst of the peak, too.
func (a *applier) makeWay(index int, b bucket) {
	list, err := a.k.buckets()
	old, limited := list[index]
	if err != nil || !limited || b.largest() > bucketFor(old, old.MTU).largest() {
		return
	}
	open := bucketFor(plan.Shape{Rate: unlimited}, old.MTU)
	open.peak, open.peakBurst = boundless, b.largest()
	if a.setBucket(index, open) == nil && !a.empties(index) {
		_ = a.k.change(unix.RTM_DELQDISC, 0, rootOf(index), attrText(nl.TCA_KIND, tokenBucket)) // better lost than stuck
	}
}

// empties waits until nothing waits on a link, and reports whether that is so.
func (a *applier) empties(index int) bool {
	for end := time.Now().Add(drainFor); a.k.waiting(index) > 0; time.Sleep(drainEvery) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// waiting is how many frames the root qdisc of a link holds.
func (k *Kernel) waiting(index int) int {
	msgs, err := k.dump(unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{Family: unix.AF_UNSPEC})
	if err != nil {
		return 0
	}
	for _, m := range msgs {
		if len(m) >= nl.SizeofTcMsg && number(m[4:]) == index && native.Uint32(m[12:]) == rootHandle {
			return int(statsOf(m[nl.SizeofTcMsg:]).waiting)
		}
	}
	return 0
}

// queueStats are the first numbers of struct gnet_stats_queue, in packets.
type queueStats struct{ waiting, dropped uint32 }

func statsOf(qdisc []byte) (s queueStats) {
	for kind, v := range attrs(qdisc) {
		if kind != nl.TCA_STATS2 {
			continue
		}
		for kind, v := range attrs(v) {
			if kind == nl.TCA_STATS_QUEUE && len(v) >= 12 {
				return queueStats{native.Uint32(v), native.Uint32(v[8:])} // the bytes that wait are between
			}
		}
	}
	return s
}
