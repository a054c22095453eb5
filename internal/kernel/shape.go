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

// A link may send what fits in burstFor at once, and packets wait at most waitFor
// before those that follow are dropped; both hold framesAtOnce at the least.
const (
	bitsPerByte  = 8
	burstFor     = 100 // parts of a second: 10 ms
	waitFor      = 20  // parts of a second: 50 ms
	framesAtOnce = 2
	plainMTU     = 1500
	frameHeader  = 18         // Ethernet with a VLAN
	ethernet     = 1          // TC_LINKLAYER_ETHERNET
	rootHandle   = 0xffffffff // TC_H_ROOT
)

// bucket are the numbers of a token bucket, in bytes.
type bucket struct {
	rate  uint64 // a second
	burst uint32
	limit uint32 // that may wait
}

// bucketFor chooses the burst. A frame that is larger than that is dropped, so it
// goes by the MTU; segments put together by the sender are taken apart.
func bucketFor(rate spec.Rate, mtu int) bucket {
	b := bucket{rate: uint64(rate) / bitsPerByte}
	least := uint64(framesAtOnce * (max(mtu, plainMTU) + frameHeader))
	burst := max(b.rate/burstFor, least)
	const most = 1 << 30
	b.burst = uint32(min(burst, most))
	b.limit = uint32(min(burst+max(b.rate/waitFor, least), most))
	return b
}

// options are the qdisc's attributes: struct tc_tbf_qopt, and what it has no room
// for. The rate is given whole where 32 bits do not hold it.
func (b bucket) options() *nl.RtAttr {
	qopt := nl.TcTbfQopt{Limit: b.limit}
	qopt.Rate.Linklayer = ethernet
	qopt.Rate.Rate = uint32(min(b.rate, 1<<32-1))
	options := attr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(nl.TCA_TBF_PARMS, qopt.Serialize())
	options.AddRtAttr(nl.TCA_TBF_BURST, nl.Uint32Attr(b.burst))
	if b.rate >= 1<<32 {
		options.AddRtAttr(nl.TCA_TBF_RATE64, nl.Uint64Attr(b.rate))
	}
	return options
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
	return a.setBucket(d.index, bucketFor(s.Rate, d.mtu))
}

func (a *applier) setBucket(index int, b bucket) error {
	return a.k.change(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE,
		rootOf(index), attrText(nl.TCA_KIND, tokenBucket), b.options())
}

// refit makes room for the larger frames of a link whose MTU grew.
func (a *applier) refit(index, mtu int) error {
	list, err := a.k.buckets()
	if err != nil {
		return err
	}
	if rate, there := list[index]; there {
		return a.setBucket(index, bucketFor(rate, mtu))
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
func (k *Kernel) buckets() (map[int]spec.Rate, error) {
	msgs, err := k.dump(unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{Family: unix.AF_UNSPEC})
	if err != nil {
		return nil, fmt.Errorf("list qdiscs: %w", err)
	}
	list := map[int]spec.Rate{}
	for _, m := range msgs {
		if index, rate, ok := parseBucket(m); ok {
			list[index] = rate
		}
	}
	return list, nil
}

// parseBucket reads a qdisc (struct tcmsg); ok is false when it is none of ours.
func parseBucket(m []byte) (index int, rate spec.Rate, ok bool) {
	if len(m) < nl.SizeofTcMsg || native.Uint32(m[12:]) != rootHandle {
		return 0, 0, false
	}
	for kind, v := range attrs(m[nl.SizeofTcMsg:]) {
		switch kind {
		case nl.TCA_KIND:
			ok = unix.ByteSliceToString(v) == tokenBucket
		case nl.TCA_OPTIONS:
			rate = parseRate(v)
		}
	}
	return number(m[4:]), rate, ok
}

func parseRate(options []byte) (rate spec.Rate) {
	const place = 8 // of the rate in struct tc_ratespec, which begins tc_tbf_qopt
	for kind, v := range attrs(options) {
		switch {
		case kind == nl.TCA_TBF_PARMS && len(v) >= place+4 && rate == 0:
			rate = bitsPerByte * spec.Rate(native.Uint32(v[place:]))
		case kind == nl.TCA_TBF_RATE64 && len(v) >= 8:
			rate = bitsPerByte * spec.Rate(native.Uint64(v))
		}
	}
	return rate
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
		if rate, there := list[index]; there {
			v.state.Add(plan.Shape{Mark: v.marks[index], NS: v.ns, Link: v.names[index], Rate: rate})
		}
	}
	return nil
}
