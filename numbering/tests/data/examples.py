"""Prints examples.tsv, from the PyPI package phonenumbers 9.0.43 (pip install phonenumbers==9.0.43):

    python3 numbering/tests/data/examples.py > numbering/tests/data/examples.tsv

Each line has a region, a kind of numbers, and libphonenumber's example of it, unless it has fewer than 7 digits: such
numbers get no messages. Where a region's mobile numbers differ in
length there are some of each length as well: of those that begin with all there is, the one of which most digits can
follow so that the whole is valid, too. `national_prefix` is what people dial before the number within the region.
"""

import phonenumbers as p

KINDS = p.PhoneNumberType
TESTED = "0159"


def is_valid(number):
    parsed = p.parse(number)
    as_written = p.format_number(parsed, p.PhoneNumberFormat.E164) == number
    return as_written and p.is_valid_number(parsed)


def is_mobile(number, region):
    parsed = p.parse(number)
    kinds = (KINDS.MOBILE, KINDS.FIXED_LINE_OR_MOBILE)
    return is_valid(number) and p.region_code_for_number(parsed) == region and p.number_type(parsed) in kinds


def can_follow(number):
    return sum(is_valid(number + digit * count) for digit in TESTED for count in (1, 2, 3))


for region in sorted(p.SUPPORTED_REGIONS):
    metadata = p.PhoneMetadata.metadata_for_region(region)
    if metadata.national_prefix:
        print(region, "national_prefix", metadata.national_prefix, sep="\t")
    for kind in KINDS.values():
        example = p.example_number_for_type(region, kind)
        if example and kind != KINDS.FIXED_LINE_OR_MOBILE:
            number = p.format_number(example, p.PhoneNumberFormat.E164)
            if len(number) > 7:
                print(region, KINDS.to_string(kind).lower(), number, sep="\t")
    lengths = metadata.mobile.possible_length if metadata.mobile else ()
    if len(lengths) > 1:
        for length in lengths:
            beginnings = (f"{beginning:04}" for beginning in range(10000))
            numbers = (f"+{metadata.country_code}{of}{'567890123'[: length - 4]}" for of in beginnings)
            mobiles = [number for number in numbers if is_mobile(number, region)]
            if mobiles:
                print(region, "mobile", max(mobiles, key=can_follow), sep="\t")
