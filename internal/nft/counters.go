package nft

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Counter is how many packets the program refused for one reason since it was
// loaded, or how many met one rule or element.
type Counter struct {
	Name           string // spoofed, isolated, other-network, inbound, pinned, held, invalid, capped, claimed
	Packets, Bytes uint64
}

// Counters reads the counters of our tables, sorted by name; none when the tables
// are not there.
func (c *Conn) Counters() ([]Counter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var counters []Counter
	for _, family := range families {
		objects, err := c.get(family, unix.NFT_MSG_GETOBJ, netlink.Dump, attr{unix.NFTA_OBJ_TABLE, Table})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("read counters of table %s: %w", named(family), err)
		}
		for _, o := range objects {
			if o.text(unix.NFTA_OBJ_TABLE) == Table && o.uint32(unix.NFTA_OBJ_TYPE) == unix.NFT_OBJECT_COUNTER {
				counters = append(counters, namedCounter(o))
			}
		}
	}
	slices.SortFunc(counters, func(a, b Counter) int { return cmp.Compare(a.Name, b.Name) })
	return counters, nil
}

func namedCounter(o attributes) Counter {
	data := o.nested(unix.NFTA_OBJ_DATA)
	return Counter{
		Name:    o.text(unix.NFTA_OBJ_NAME),
		Packets: data.uint64(unix.NFTA_COUNTER_PACKETS),
		Bytes:   data.uint64(unix.NFTA_COUNTER_BYTES),
	}
}
