"""Who is made from the change log, and how far each is: what the log must still have."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from trackman import history
from trackman.bookmark import EPOCH, Bookmark, Place, bookmark_property
from trackman.contract import TableName
from trackman.lake_table import DEFINITION, LakeTable
from trackman.marts import MADE_FROM, MadeFrom

SERVING = "dataengineering-db"
Properties = Mapping[str, str]


@dataclass
class FollowedTable:
    """A table of a source: where its current state is, and how far those are that are made from its changes."""

    lake_tables: list[str] = field(default_factory=list)
    """One, unless the contract gave it another name."""
    followers: dict[str, Place] = field(default_factory=dict)
    """By name: the place before which it needs no change any more."""

    @property
    def place(self) -> Place:
        """Before it, nobody needs a change."""
        return min(self.followers.values())

    def behind(self, place: Place) -> list[str]:
        """Who needs changes before a place."""
        return sorted(name for name, reached in self.followers.items() if reached < place)


Followed = Mapping[tuple[str, TableName], FollowedTable]
"""By source and table. Of a table that is not here nobody needs what happened before its first copy."""


def followed_tables(
    lake: Iterable[tuple[str, Properties]], marts: Iterable[tuple[str, Properties]], served: Mapping[str, Place]
) -> Followed:
    """From the names and properties of all tables of lake and marts, and how far dataengineering-db is by lake table.

    What nobody makes any more, such as the history of a table whose contract asks for none now, counts while it is
    there: it would go on from where it stands.
    """
    followed: dict[tuple[str, TableName], FollowedTable] = defaultdict(FollowedTable)
    by_lake_table: dict[str, FollowedTable] = {}
    for name, properties in lake:
        if DEFINITION in properties:
            definition = LakeTable.from_json(properties[DEFINITION])
            table = by_lake_table[name] = followed[definition.source, definition.name]
            table.lake_tables.append(name)
            table.followers[name] = _place_of(definition, properties)
        elif history.DEFINITION in properties and properties[EPOCH] != history.UNBORN:
            definition = LakeTable.from_json(properties[history.DEFINITION])
            followed[definition.source, definition.name].followers[name] = _place_of(definition, properties)
    for name, properties in marts:
        made_from = MadeFrom.from_json(properties[MADE_FROM]).tables if MADE_FROM in properties else {}
        for lake_table, used in made_from.items():
            if lake_table in by_lake_table:
                by_lake_table[lake_table].followers[name] = Place(used.history, used.position)
    for lake_table, place in served.items():
        if lake_table in by_lake_table:
            by_lake_table[lake_table].followers[SERVING] = place
    return dict(followed)


def _place_of(definition: LakeTable, properties: Properties) -> Place:
    bookmark = Bookmark.from_json(properties[bookmark_property(definition.source)])
    # A copy lacks what was in progress when it was made, wherever that stands in the log.
    return Place(bookmark.history, 0 if bookmark.snapshot else bookmark.position)
