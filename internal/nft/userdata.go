package nft

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Userdata of a rule are records of a type byte, a length byte and a value.
const (
	commentType = 0   // NFTNL_UDATA_RULE_COMMENT
	noteType    = 'k' // ours; nft(8) passes over types it does not know
)

// comment is the comment of a rule.
func comment(rule attributes) string {
	return cname(record(rule.bytes(unix.NFTA_RULE_USERDATA), commentType))
}

// record returns the value of the first record of a type.
func record(userdata []byte, kind byte) []byte {
	for len(userdata) >= 2 && len(userdata) >= 2+int(userdata[1]) {
		if userdata[0] == kind {
			return userdata[2 : 2+int(userdata[1])]
		}
		userdata = userdata[2+int(userdata[1]):]
	}
	return nil
}

// withRecord returns userdata with one more.
func withRecord(userdata []byte, kind byte, value []byte) []byte {
	return slices.Concat(userdata, []byte{kind, byte(len(value))}, value)
}
