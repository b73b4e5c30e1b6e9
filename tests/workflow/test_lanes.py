from octflow.workflow.lanes import LANES


def test_a_lane_has_the_rules_of_its_pool(rules):
    pools = {
        lane: {rule.name for rule in rules if f"{lane}_pool" in rule.resources} for lane in LANES
    }
    assert pools == {lane: set(names) for lane, names in LANES.items()}
    assert sum(map(len, LANES.values())) == len(list(rules))
