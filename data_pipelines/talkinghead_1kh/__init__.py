"""TalkingHead-1KH: video under Creative Commons licences (Wang, Mallya and Liu 2021)."""
