// Package lease holds who has which address: an allocator for each network, and
// the book that keeps all leases on disk.
//
// What enters: clients that ask, hold, bind, release and decline, leases of another
// server that are taken over, and the addresses that plan says may be given. What leaves: addresses, leases, host
// names for DNS, events, and a call when a change is on disk; the answer to the
// client waits for that call.
//
// A lease belongs to a MAC (with DHCPv6 to a MAC and an IAID). A client id is a
// hint: guests cloned with one machine id get an address each and a warning is
// told. An ended lease is remembered, so that the guest gets its address again,
// until newcomers have taken every address that was never used.
//
// # The file
//
// The directory has one file, leases, mode 0600, for all networks. It is only
// appended to. Each line says what is known of one address from then on:
//
//	6c1d0a52 {"net":"lab","ip":"10.9.0.2","mac":"52:54:00:00:00:01","id":"0152540001","port":"vm1","host":"vm1","begun":"2026-01-02T03:04:05Z","expires":"2026-01-02T04:04:05Z","state":"bound"}
//
// that is: the CRC-32C of the JSON text in hexadecimal, a space, the JSON, a
// newline. Fields that are empty are left out.
//
//	net      network
//	ip       address
//	mac      of the guest; none = the address is nobody's
//	iaid     DHCPv6 identity association; none = 0
//	id       client id or DUID, the raw bytes in hexadecimal
//	port     the guest's port
//	host     what the guest calls itself
//	begun    when it was bound, UTC
//	expires  when it ends or ended; none = never
//	state    bound, released, expired or declined
//
// Of two records for one address the later counts, and a client that is bound to
// an address loses its other one. A lease that runs out has no record of that:
// its last one says when. {"net":"lab","state":"dropped"} forgets a network.
//
// A change is told to be done after write(2) and fdatasync(2) of its record; one
// goroutine does that for all changes that came meanwhile. So only the end of the
// file can be torn, by something that was not told to be done: it is cut off when
// the book is opened. A damaged record elsewhere is skipped, and the file kept as
// leases.damaged, the first time.
//
// When most of the records are obsolete, what is in force is written to
// leases.new beside, synced, and renamed over leases. The same happens at once
// after a write that failed, since nobody knows what it left behind.
//
// lease imports plan and spec, and decides nothing about protocols.
package lease
