# SPDX-License-Identifier: GPL-2.0-only
#
# Judge the reports of many scans, each after a line "=== SCAN NUMBER PHASE". PHASE is
# "load" during the load and "after" when it has ended. An object is identified by
# address, size, process and time. Prints the reported objects by call site:
#
#   site NAME: N objects, M of them still listed by the last scan, in scans A to B
#
# with one report of each, and then lines "# figure NAME VALUE". The call site is the
# first frame outside of the allocators.

BEGIN {
	allocator = "^_*(kmemleak_|kml_|kmalloc|kzalloc|kcalloc|krealloc|kvmalloc|kvzalloc|kvrealloc|" \
		"kmem_cache_|kmemdup|kstrdup|kstrndup|kasprintf|kvasprintf|memdup_|vmalloc|vzalloc|" \
		"pcpu_alloc|alloc_percpu|slab_|alloc_from_|do_kmalloc|do_kmem|do_krealloc|mempool_|" \
		"alloc_pages|get_free_page|set_track|save_stack|stack_trace|trace_kmalloc)"
}

function finish(   k) {
	if (key == "")
		return
	k = key
	if (!(k in first)) {
		first[k] = scan
		text[k] = entry
		where[k] = site == "" ? "no frame" : site
		order[++n] = k
		during[k] = phase
	}
	last[k] = scan
	key = ""
}

/^=== SCAN / { finish(); scan = $3; phase = $4; scans++; next }

/^unreferenced object/ { finish(); key = $0; entry = ""; site = ""; frames = 0 }

key != "" { entry = entry "#   " $0 "\n" }

key != "" && /^  comm / { key = key $0 }

key != "" && /^  backtrace/ { frames = 1; next }

key != "" && frames && site == "" {
	name = $1 == "[<0>]" || $1 ~ /^\[</ ? $2 : $1
	sub(/\+0x.*/, "", name)
	if (name !~ allocator)
		site = name
}

END {
	finish()
	for (i = 1; i <= n; i++) {
		k = order[i]
		s = where[k]
		if (!(s in objects)) {
			sites[++ns] = s
			sample[s] = text[k]
			from[s] = first[k]
			to[s] = 0
		}
		objects[s]++
		if (last[k] == scan) {
			stays[s]++
			all_stay++
			sample[s] = text[k]
		} else {
			gone++
		}
		if (first[k] < from[s])
			from[s] = first[k]
		if (last[k] > to[s])
			to[s] = last[k]
	}
	for (i = 1; i <= ns; i++) {
		s = sites[i]
		printf "# site %s: %d objects, %d of them still listed by the last scan, in scans %d to %d\n%s",
			s, objects[s], stays[s], from[s], to[s], sample[s]
	}
	print "# figure scans " scans + 0
	print "# figure reported " n + 0
	print "# figure reported_gone " gone + 0
	print "# figure reported_stays " all_stay + 0
	print "# figure sites " ns + 0
	for (i = 1; i <= ns; i++)
		print "# figure site_" sites[i] " " objects[sites[i]]
}
