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
	const unlimited = 1e12
	if a.setBucket(index, bucketFor(plan.Shape{Rate: unlimited}, s.MTU)) != nil {
		return
	}
	for end := time.Now().Add(drainFor); a.k.waiting(index) > 0 && time.Now().Before(end); {
		time.Sleep(drainEvery)
	}
}

// waiting is how many frames the root qdisc of a link holds.
func (k *Kernel) waiting(index int) int {
	msgs, err := k.dump(unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{Family: unix.AF_UNSPEC})
	if err != nil {
		return 0
	}
	for _, m := range msgs {
		if len(m) >= nl.SizeofTcMsg && number(m[4:]) == index && native.Uint32(m[12:]) == rootHandle {
			return queued(m[nl.SizeofTcMsg:])
		}
	}
	return 0
}

// queued reads qlen, the first of struct gnet_stats_queue.
func queued(qdisc []byte) int {
	for kind, v := range attrs(qdisc) {
		if kind != nl.TCA_STATS2 {
			continue
		}
		for kind, v := range attrs(v) {
			if kind == nl.TCA_STATS_QUEUE {
				return number(v)
			}
		}
	}
	return 0
}
