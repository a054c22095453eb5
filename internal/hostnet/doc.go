// Package hostnet manages the host's own interfaces: it moves a NIC into a bridge and
// back, has every change confirmed or reverts it, and defines, starts and stops
// interfaces through whoever has their configuration.
//
// What enters: the verbs of api.BridgeService and api.InterfaceService. What leaves:
// changes of links and of configuration files, armed before they begin.
//
// The rooms below do the work and do not know each other: hostlink the kernel,
// netfiles the files, confirm the way back. hostnet must not import the rooms that
// make networks.
package hostnet
