"""Pages of people: entry (in and out), account, workspace (making, settings, keys), people (members, invitations, groups)."""
