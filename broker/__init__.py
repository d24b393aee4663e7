"""How agents talk, and what time it is: topics, wire models, buses, brokers, the clock, hosts."""
