// Package qemuguest boots real guests: QEMU, Debian's cloud kernel, and an
// initramfs of busybox and the virtio drivers. They need no disk, no image and
// no KVM, take 192 MB and boot in a few seconds.
//
// A guest may also start with nothing but firmware, BIOS or UEFI, and boot the same
// from the network.
//
// What enters: a tap that exists, the namespace it is in, and addresses. What
// leaves: a Guest that runs shell commands and returns their output and exit
// code.
//
// Kernel and initramfs are made once and kept in the cache directory. qemuguest
// serves the verify and demo commands as well as tests, so it never imports
// testing. Of kvmnet it imports netns and spec (for MAC) only.
package qemuguest
