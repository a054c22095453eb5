package hostlink

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// device is a link as the kernel tells it.
type device struct {
	index, master, lower int
	name, kind           string // kind "" is hardware
	hardware             uint16 // ARPHRD_…
	flags                uint32
	attrs, info          Attrs // info is IFLA_INFO_DATA
}

// skipStatistics is RTEXT_FILTER_SKIP_STATS.
const skipStatistics = 1 << 3

// devices lists all links by their index.
func (s *socket) devices() (map[int]device, error) {
	head := Attrs{{unix.IFLA_EXT_MASK, bytes32(skipStatistics)}}.appendTo(make([]byte, unix.SizeofIfInfomsg))
	msgs, err := s.dump(unix.RTM_GETLINK, head)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	all := map[int]device{}
	for _, m := range msgs {
		if d, ok := parseDevice(m); ok {
			all[d.index] = d
		}
	}
	return all, nil
}

func parseDevice(m []byte) (device, bool) {
	if len(m) < unix.SizeofIfInfomsg {
		return device{}, false
	}
	d := device{
		hardware: native.Uint16(m[2:]), index: int(int32(native.Uint32(m[4:]))), flags: native.Uint32(m[8:]),
		attrs: parseAttrs(m[unix.SizeofIfInfomsg:]),
	}
	d.name = d.attrs.text(unix.IFLA_IFNAME)
	d.master, d.lower = int(d.attrs.number(unix.IFLA_MASTER)), int(d.attrs.number(unix.IFLA_LINK))
	info := parseAttrs(d.attrs.get(unix.IFLA_LINKINFO))
	d.kind, d.info = info.text(unix.IFLA_INFO_KIND), parseAttrs(info.get(unix.IFLA_INFO_DATA))
	return d, d.name != ""
}

func (d device) mac() (m spec.MAC) {
	copy(m[:], d.attrs.get(unix.IFLA_ADDRESS))
	return m
}

func (d device) up() bool { return d.flags&unix.IFF_UP != 0 }

// sorted lists devices by their index: as they came to be.
func sorted(all map[int]device) (list []device) {
	for _, index := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[index])
	}
	return list
}

// find looks a device up by its name.
func find(all map[int]device, name string) (device, bool) {
	for _, d := range all {
		if d.name == name {
			return d, true
		}
	}
	return device{}, false
}
