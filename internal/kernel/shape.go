package kernel

import (
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// tokenBucket is the kind of the root qdisc that limits a link.
const tokenBucket = "tbf"

// Packets wait at most waitFor before those that follow are dropped.
const (
	bitsPerByte = 8
	waitFor     = 20         // parts of a second: 50 ms
	ethernet    = 1          // TC_LINKLAYER_ETHERNET
	tick        = 64         // nanoseconds: the unit of the kernel's times
	rootHandle  = 0xffffffff // TC_H_ROOT
)

// bucket are the numbers of a token bucket, in bytes.
type bucket struct {
	rate, peak uint64 // a second
	burst      uint32
	peakBurst  uint32
	limit      uint32 // that may wait
}

// bucketFor chooses the burst. A frame that is larger than that is dropped, so it
// goes by the MTU; segments put together by the sender are taken apart.
func bucketFor(s plan.Shape, mtu int) bucket {
	const most = 1 << 30
	b := bucket{rate: uint64(s.Rate) / bitsPerByte, peak: uint64(s.Peak) / bitsPerByte, burst: uint32(s.BurstAt(mtu))}
	least := uint64((plan.Shape{Rate: bitsPerByte}).BurstAt(mtu))
	b.limit = uint32(min(uint64(b.burst)+max(b.rate/waitFor, least), most))
	if b.peak > 0 {
		b.peakBurst = uint32(s.PeakBurstAt(mtu))
	}
	return b
}

// options are the qdisc's attributes: struct tc_tbf_qopt, and what it has no room
// for. A rate is given whole where 32 bits do not hold it.
func (b bucket) options() *nl.RtAttr {
	const most = 1<<32 - 1
	qopt := nl.TcTbfQopt{Limit: b.limit}
	qopt.Rate.Linklayer = ethernet
	qopt.Rate.Rate = uint32(min(b.rate, most))
	if b.peak > 0 {
		qopt.Peakrate.Linklayer = ethernet
		qopt.Peakrate.Rate = uint32(min(b.peak, most))
	}
	options := attr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(nl.TCA_TBF_PARMS, qopt.Serialize())
	options.AddRtAttr(nl.TCA_TBF_BURST, nl.Uint32Attr(b.burst))
	if b.rate > most {
		options.AddRtAttr(nl.TCA_TBF_RATE64, nl.Uint64Attr(b.rate))
	}
	if b.peak > 0 {
		options.AddRtAttr(nl.TCA_TBF_PBURST, nl.Uint32Attr(b.peakBurst))
	}
	if b.peak > most {
		options.AddRtAttr(nl.TCA_TBF_PRATE64, nl.Uint64Attr(b.peak))
	}
	return options
}

// largest is the largest packet that the bucket lets pass. Segments that a sender put
// together wait whole up to that, and larger ones are taken apart.
func (b bucket) largest() uint32 {
	if b.peak > 0 {
		return min(b.burst, b.peakBurst)
	}
	return b.burst
}

// shape sets the limit of a link, in place where there is one already: what waits
// is not lost.
func (a *applier) shape(s plan.Shape) error {
	if s.Rate < bitsPerByte {
		return fmt.Errorf("a rate of %d bits a second is less than a byte", s.Rate)
	}
	d, err := a.k.device(s.Link)
	if err != nil {
		return fmt.Errorf("find link %s: %w", s.Link, err)
	}
	b := bucketFor(s, d.mtu)
	if d.qdisc == tokenBucket {
		a.makeWay(d.index, b)
	}
	return a.setBucket(d.index, b)
}

func (a *applier) setBucket(index int, b bucket) error {
	return a.k.change(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE,
		rootOf(index), attrText(nl.TCA_KIND, tokenBucket), b.options())
}

// refit makes room for the larger frames of a link whose MTU grew. A burst that was
// asked for comes back with the next look.
func (a *applier) refit(index, mtu int) error {
	list, err := a.k.buckets()
	if err != nil {
		return err
	}
	if s, there := list[index]; there {
		return a.setBucket(index, bucketFor(plan.Shape{Rate: s.Rate, Peak: s.Peak}, mtu))
	}
	return nil
}

// delShape takes the limit away. Another qdisc in its place stays.
func (a *applier) delShape(s plan.Shape) error {
	d, err := a.k.device(s.Link)
	if err == nil && d.qdisc == tokenBucket {
		err = a.k.change(unix.RTM_DELQDISC, 0, rootOf(d.index), attrText(nl.TCA_KIND, tokenBucket))
	}
	return unlessGone(err, unix.ENODEV, unix.ENOENT)
}

func rootOf(index int) *nl.TcMsg {
	return &nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(index), Parent: rootHandle}
}

// buckets lists the token buckets at the root of links, by the links' numbers.
func (k *Kernel) buckets() (map[int]plan.Shape, error) {
	msgs, err := k.dump(unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{Family: unix.AF_UNSPEC})
	if err != nil {
		return nil, fmt.Errorf("list qdiscs: %w", err)
	}
	list := map[int]plan.Shape{}
	for _, m := range msgs {
		if s, ok := parseBucket(m); ok {
			list[number(m[4:])] = s
		}
	}
	return list, nil
}

// parseBucket reads a qdisc (struct tcmsg); ok is false when it is none of ours.
func parseBucket(m []byte) (s plan.Shape, ok bool) {
	if len(m) < nl.SizeofTcMsg || native.Uint32(m[12:]) != rootHandle {
		return s, false
	}
	for kind, v := range attrs(m[nl.SizeofTcMsg:]) {
		switch kind {
		case nl.TCA_KIND:
			ok = unix.ByteSliceToString(v) == tokenBucket
		case nl.TCA_OPTIONS:
			s = parseTokens(v)
		}
	}
	return s, ok
}

// parseTokens reads the rates and the burst, which the kernel tells as a time.
func parseTokens(options []byte) (s plan.Shape) {
	const rate, peak, burst, size = 8, 20, 28, 36 // places in struct tc_tbf_qopt, and its size
	var rate64, peak64, ticks uint64
	for kind, v := range attrs(options) {
		switch {
		case kind == nl.TCA_TBF_PARMS && len(v) >= size:
			rate64 = max(rate64, uint64(native.Uint32(v[rate:])))
			peak64 = max(peak64, uint64(native.Uint32(v[peak:])))
			ticks = uint64(native.Uint32(v[burst:]))
		case kind == nl.TCA_TBF_RATE64 && len(v) >= 8:
			rate64 = native.Uint64(v)
		case kind == nl.TCA_TBF_PRATE64 && len(v) >= 8:
			peak64 = native.Uint64(v)
		}
	}
	s.Rate, s.Peak = bitsPerByte*spec.Rate(rate64), bitsPerByte*spec.Rate(peak64)
	s.Burst = int64(float64(ticks) * tick * float64(rate64) / 1e9)
	return s
}

// observeShapes adds the limits of our own links. Link messages name the root
// qdisc, so that nothing more is asked where no link is limited.
func (k *Kernel) observeShapes(v *view) error {
	if len(v.shaped) == 0 {
		return nil
	}
	list, err := k.buckets()
	if err != nil {
		return err
	}
	for _, index := range v.shaped {
		if s, there := list[index]; there {
			s.Mark, s.NS, s.Link, s.MTU = v.marks[index], v.ns, v.names[index], v.mtus[index]
			v.state.Add(s)
		}
	}
	return nil
}
