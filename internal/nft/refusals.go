package nft

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// Refusals reads what guards refused of each port, by the number of its interface
// and by the part of the guard, as spec.GuardWords. A port of which nothing was
// refused for a week is not in it.
func (c *Conn) Refusals(ctx context.Context) (map[int]map[string]uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[int]map[string]uint64{}
	for _, word := range spec.GuardWords {
		rows, err := c.rows(unix.NFPROTO_BRIDGE, "refused_"+word)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, fmt.Errorf("read what guards refused: %w", err)
		}
		for _, r := range rows {
			refused(all, word, r)
		}
	}
	return all, nil
}

// refused adds an element of a set of refusals.
func refused(all map[int]map[string]uint64, word string, row attributes) {
	key := rowKey(row)
	if len(key) != 4 {
		return // not our set
	}
	index := int(binary.NativeEndian.Uint32(key))
	if all[index] == nil {
		all[index] = map[string]uint64{}
	}
	all[index][word] = counted(row.nested(unix.NFTA_SET_ELEM_EXPR)).Packets
}
