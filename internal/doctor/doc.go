// Package doctor finds what keeps guests from their network, or will, and says what to
// do about it.
//
// What enters: a Patient, which is what the loop sees and wants, and what is around it:
// who holds ports, which other firewalls there are, who else manages interfaces, and
// what lies about in our directories. What leaves: findings, each with its way out.
//
// Every check is pure, a file each. Only Settings and Litter look, and nothing here
// changes anything: what is ours is repaired by who made it. It imports api, plan,
// spec and netns, and must not import the rooms that make networks.
package doctor
