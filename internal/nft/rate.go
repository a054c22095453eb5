package nft

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// An element may have a limit of its own, which is asked each time the element is
// found: a rule that looks for it goes on only with what is over the limit.

// encodeRate makes the expression of a limit of frames a second. As many may come
// at once.
func encodeRate(value string) (attributes, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n == 0 || value != fmt.Sprint(n) {
		return nil, fmt.Errorf("%q is not a number of frames a second", value)
	}
	limit := attributes{}.put(unix.NFTA_LIMIT_RATE, binary.BigEndian.AppendUint64(nil, n)).
		put(unix.NFTA_LIMIT_UNIT, binary.BigEndian.AppendUint64(nil, 1)).
		putUint32(unix.NFTA_LIMIT_BURST, uint32(n)).
		putUint32(unix.NFTA_LIMIT_TYPE, unix.NFT_LIMIT_PKTS).
		putUint32(unix.NFTA_LIMIT_FLAGS, unix.NFT_LIMIT_F_INV)
	return attributes{}.putText(unix.NFTA_EXPR_NAME, "limit").putNested(unix.NFTA_EXPR_DATA, limit), nil
}

// decodeRate is the inverse; any other limit reads as one that is never wanted.
func decodeRate(expression attributes) string {
	limit := expression.nested(unix.NFTA_EXPR_DATA)
	n, burst := limit.uint64(unix.NFTA_LIMIT_RATE), limit.uint32(unix.NFTA_LIMIT_BURST)
	unit, kind, flags := limit.uint64(unix.NFTA_LIMIT_UNIT), limit.uint32(unix.NFTA_LIMIT_TYPE), limit.uint32(unix.NFTA_LIMIT_FLAGS)
	if unit != 1 || uint64(burst) != n || kind != unix.NFT_LIMIT_PKTS || flags != unix.NFT_LIMIT_F_INV {
		return fmt.Sprintf("limit %x", limit)
	}
	return fmt.Sprint(n)
}

// rateText is the limit in nft's words.
func rateText(value string) string {
	return fmt.Sprintf("limit rate over %s/second burst %s packets", value, value)
}
