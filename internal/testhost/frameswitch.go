package testhost

import "kvmnet/internal/spec"

// BPDU is the frame by which a switch claims to be the root of the spanning tree (IEEE
// 802.1D, section 9.3.1). A port of a switch that guards against that goes down.
func BPDU(from spec.MAC) []byte {
	root := append([]byte{0, 0}, from[:]...) // the best priority there is
	body := append([]byte{0x42, 0x42, 3, 0, 0, 0, 0, 0}, root...)
	body = append(body, 0, 0, 0, 0) // cost of the path to the root
	body = append(body, root...)
	body = append(body, 0x80, 1, 0, 0, 20, 0, 2, 0, 15, 0) // port, age, and times in 1/256 s
	return llc(spec.MAC{0x01, 0x80, 0xc2, 0, 0, 0}, from, body)
}

// llc is a frame of IEEE 802.3, which has its length in place of a type, filled up to
// the least that Ethernet carries.
func llc(to, from spec.MAC, body []byte) []byte {
	frame := append(append([]byte{}, to[:]...), from[:]...)
	frame = append(append(frame, byte(len(body)>>8), byte(len(body))), body...)
	return append(frame, make([]byte, max(0, 60-len(frame)))...)
}

// LLDP is the frame by which a switch says who it is (IEEE 802.1AB, section 8): its
// name, port, and how long that holds.
func LLDP(from spec.MAC) []byte {
	frame := append([]byte{0x01, 0x80, 0xc2, 0, 0, 0x0e}, from[:]...)
	frame = append(frame, 0x88, 0xcc)
	frame = append(append(frame, 2, 7, 4), from[:]...)
	frame = append(append(frame, 4, 7, 3), from[:]...)
	frame = append(frame, 6, 2, 0, 120, 0, 0)
	return append(frame, make([]byte, max(0, 60-len(frame)))...)
}
