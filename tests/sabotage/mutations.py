"""The mutations: mistakes that were made, here or elsewhere, or that would show in no picture, and the tests that must notice each.

`old` must occur exactly once in its file; where the code has moved on, the campaign says so instead of testing nothing. Selections are
as narrow as they can be: each runs alone.
"""

from dataclasses import dataclass

LIBRARY = "functions/quakeslide"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One mistake.

    Attributes:
        name: what was done, in words.
        file: where, from the repository's root.
        old: exact text.
        new: what it becomes.
        tests: pytest node ids, of which at least one must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


# Scenes found by date when the export starts, instead of those that were planned.
_BY_DATE = """post=[
                [scene.scene_id for scene in take]
                for take in data_takes(
                    __import__("quakeslide.adapters.earth_engine.archive", fromlist=["x"])
                    .EarthEngineScenes()
                    .scenes(composite.aoi, composite.post_start, composite.post_start + 12 * __import__("datetime").timedelta(1))
                )
            ]"""

MUTATIONS = (
    Mutation(
        name="diff sign: pre minus post",
        file=f"{LIBRARY}/adapters/earth_engine/expression.py",
        old="difference = post.subtract(pre)",
        new="difference = pre.subtract(post)",
        tests=("tests/contract/test_exporter.py::test_medians_differences_counts_and_gaps_equal_numpy",),
    ),
    Mutation(
        name="layover sign: slopes facing away are layover",
        file=f"{LIBRARY}/adapters/earth_engine/terrain.py",
        old="is_layover = seen.alpha_range.gte(seen.theta)",
        new="is_layover = seen.alpha_range.multiply(-1).gte(seen.theta)",
        tests=(
            "tests/contract/test_exporter.py::test_slopes_facing_the_sensor_are_layover_and_those_facing_away_shadow",
        ),
    ),
    Mutation(
        name="filter by date instead of explicit scene ids",
        file=f"{LIBRARY}/adapters/earth_engine/exporter.py",
        old="post=takes(composite.post_scenes)",
        new=_BY_DATE,
        tests=("tests/contract/test_exporter.py::test_medians_differences_counts_and_gaps_equal_numpy",),
    ),
    Mutation(
        name="missing as 0 in the export",
        file=f"{LIBRARY}/adapters/earth_engine/expression.py",
        old="unmask(MISSING, False)",
        new="unmask(0, False)",
        tests=("tests/contract/test_exporter.py::test_medians_differences_counts_and_gaps_equal_numpy",),
    ),
    Mutation(
        name="missing as 0 in the reader",
        file=f"{LIBRARY}/adapters/geotiff.py",
        old="| ~np.isfinite(band)] = np.nan",
        new="| ~np.isfinite(band)] = 0",
        tests=("tests/contract/test_geotiff.py::test_zero_is_a_value_and_missing_is_nan",),
    ),
    Mutation(
        name="split by date instead of exact time",
        file=f"{LIBRARY}/domain/readiness.py",
        old="pre = [s for s in own if windows.pre_start <= s.start < windows.pre_end]",
        new="pre = [s for s in own if windows.pre_start <= s.start and s.start.date() < windows.pre_end.date()]",
        tests=("tests/unit/test_readiness.py::test_stacks_are_split_by_exact_time_not_by_date",),
    ),
    Mutation(
        name="tracks mixed in one composite",
        file=f"{LIBRARY}/domain/readiness.py",
        old="for s in scenes if s.track == track and is_usable(s)",
        new="for s in scenes if is_usable(s)",
        tests=("tests/unit/test_readiness.py::test_order_repeats_and_other_tracks_do_not_matter",),
    ),
    Mutation(
        name="final without waiting for the watermark",
        file=f"{LIBRARY}/domain/readiness.py",
        old="if is_over and is_covered and watermark - rules.margin > windows.post_until:",
        new="if is_over and is_covered:",
        tests=("tests/unit/test_readiness.py::test_final_needs_the_end_of_the_window_and_the_watermark_behind_it",),
    ),
    Mutation(
        name="slices of one data-take counted as passes",
        file=f"{LIBRARY}/domain/sentinel1.py",
        old="SLICE_GAP = timedelta(minutes=5)",
        new="SLICE_GAP = timedelta(seconds=5)",
        tests=("tests/unit/test_sentinel1.py::test_slices_within_five_minutes_are_one_data_take",),
    ),
    Mutation(
        name="row and column swapped in the raster's affine",
        file=f"{LIBRARY}/domain/lattice.py",
        old="""    x = lattice.origin_x + rectangle.col * lattice.pixel
    y = lattice.origin_y - rectangle.row * lattice.pixel
""",
        new="""    x = lattice.origin_x + rectangle.row * lattice.pixel
    y = lattice.origin_y - rectangle.col * lattice.pixel
""",
        tests=("tests/unit/test_lattice.py::test_affine_puts_rows_southwards_and_columns_eastwards",),
    ),
    Mutation(
        name="row and column swapped in the windows of the area",
        file=f"{LIBRARY}/domain/windows.py",
        old="""    x = lattice.origin_x + (rectangle.col + half + STRIDE_PX * np.arange(cols)) * lattice.pixel
    y = lattice.origin_y - (rectangle.row + half + STRIDE_PX * np.arange(rows)) * lattice.pixel
""",
        new="""    x = lattice.origin_x + (rectangle.row + half + STRIDE_PX * np.arange(cols)) * lattice.pixel
    y = lattice.origin_y - (rectangle.col + half + STRIDE_PX * np.arange(rows)) * lattice.pixel
""",
        tests=("tests/unit/test_windows.py::test_window_belongs_to_the_area_if_its_centre_does",),
    ),
    Mutation(
        name="flush edge dropped: the last rows of a foreign raster",
        file=f"{LIBRARY}/domain/windows.py",
        old="""    if tall < height:
        strips.append(""",
        new="""    if tall < 0:
        strips.append(""",
        tests=("tests/unit/test_windows.py::test_every_pixel_lies_in_a_window_and_no_window_leaves_the_raster",),
    ),
    Mutation(
        name="shard off by one: a cell's lower neighbour forgotten",
        file=f"{LIBRARY}/domain/composite.py",
        old="if shard.row < row + height\n",
        new="if shard.row < row + height - STRIDE_PX\n",
        tests=("tests/unit/test_composite.py::test_shards_of_a_cell_hold_its_pixels_and_no_shard_is_needless",),
    ),
    Mutation(
        name="cell off by one: windows of the next shard",
        file=f"{LIBRARY}/domain/composite.py",
        old="step = self.shard_px // STRIDE_PX\n",
        new="step = self.shard_px // STRIDE_PX + 1\n",
        tests=("tests/unit/test_composite.py::test_cell_pixels_are_those_of_its_windows",),
    ),
    Mutation(
        name="composite named by the order of its scenes",
        file=f"{LIBRARY}/domain/composite.py",
        old="sorted(scene_ids), grid",
        new="list(scene_ids), grid",
        tests=("tests/unit/test_composite.py::test_id_does_not_depend_on_scene_order_or_shard_size",),
    ),
    Mutation(
        name="NMS order ignored: lowest index instead of best score",
        file=f"{LIBRARY}/domain/suppression.py",
        old="    keys.sort()\n",
        new="    keys = np.arange(len(scores), dtype=np.uint64)\n",
        tests=("tests/unit/test_suppression.py::test_lower_score_two_steps_away_stays",),
    ),
    Mutation(
        name="NMS in rounds: a kept window's neighbours stay in the race",
        file=f"{LIBRARY}/domain/suppression.py",
        old="where=_around(np.logical_or, first))",
        new="where=first[1:-1, 1:-1])",
        tests=("tests/unit/test_suppression.py::test_grid_method_equals_greedy_with_ties",),
    ),
    Mutation(
        name="valid fraction ignored: windows of guesswork are judged",
        file=f"{LIBRARY}/domain/windows.py",
        old="reasons[valid_fraction < VALID_FRACTION_MIN] = Unscored.MISSING",
        new="reasons[valid_fraction < 0] = Unscored.MISSING",
        tests=("tests/unit/test_sabotage_gaps.py::test_window_with_too_few_pixels_is_not_judged",),
    ),
    Mutation(
        name="flat ground unknown: windows without a slope band are left out",
        file=f"{LIBRARY}/usecases/score_cell.py",
        old="share_of_windows(~(slope < least_slope_deg))",
        new="share_of_windows(slope >= least_slope_deg)",
        tests=("tests/unit/test_score_cell.py::test_unknown_slopes_are_judged",),
    ),
    Mutation(
        name="flat ground judged by its mean instead of its steepest part",
        file=f"{LIBRARY}/domain/windows.py",
        old="STEEP_SHARE_MIN = 0.01",
        new="STEEP_SHARE_MIN = 0.5",
        tests=("tests/unit/test_score_cell.py::test_a_window_with_a_steep_corner_is_judged",),
    ),
    Mutation(
        name="windows that only touch the area are not scored: its rim goes blind",
        file=f"{LIBRARY}/domain/area_share.py",
        old="is_in[:-1, :-1] | is_in[:-1, 1:] | is_in[1:, :-1] | is_in[1:, 1:]",
        new="is_in[:-1, :-1] & is_in[:-1, 1:] & is_in[1:, :-1] & is_in[1:, 1:]",
        tests=("tests/unit/test_area_share.py::test_windows_with_any_part_in_the_area_touch_it",),
    ),
    Mutation(
        name="an answer for other pixels is taken",
        file=f"{LIBRARY}/usecases/score_cell.py",
        old="[wanted].max() > SAME",
        new="[wanted].max() > 2",
        tests=("tests/unit/test_score_cell.py::test_an_answer_that_cannot_be_right_is_refused",),
    ),
    Mutation(
        name="an answer of another version is taken",
        file=f"{LIBRARY}/adapters/tf_serving/client.py",
        old="if (reply.model_spec.name, answered) != (name, version):",
        new="if reply.model_spec.name != name:",
        tests=("tests/contract/test_tf_serving.py::test_reply_of_another_version_is_refused",),
    ),
    Mutation(
        name="calls pile up at an overloaded server",
        file=f"{LIBRARY}/adapters/tf_serving/blocks.py",
        old="        self.calls = 1\n",
        new="        self.calls = IN_FLIGHT\n",
        tests=("tests/contract/test_tf_serving.py::test_after_a_refusal_calls_go_one_by_one",),
    ),
    Mutation(
        name="the label is ignored: the newest version answers",
        file=f"{LIBRARY}/adapters/tf_serving/client.py",
        old="self._labelled(name) if self._label else self._newest(name)",
        new="self._newest(name)",
        tests=("tests/contract/test_tf_serving.py::test_label_names_the_version",),
    ),
    Mutation(
        name="a model of the other pass stands in",
        file=f"{LIBRARY}/domain/model_card.py",
        old="        model_name(polarisation, composite.track.orbit_pass, stage)",
        new="        model_name(polarisation, list(OrbitPass)[0], stage)",
        tests=("tests/unit/test_model_choice.py::test_no_model_of_the_other_pass_stands_in",),
    ),
    Mutation(
        name="two events with the same scenes share cells",
        file=f"{LIBRARY}/usecases/run.py",
        old='        "event_id": composite.event_id,\n',
        new="",
        tests=("tests/unit/test_model_choice.py::test_run_is_named_by_event_and_shard_size_too",),
    ),
    Mutation(
        name="wet snow told from one polarisation",
        file=f"{LIBRARY}/domain/evidence.py",
        old="wetter = np.logical_and.reduce(",
        new="wetter = np.logical_or.reduce(",
        tests=("tests/unit/test_evidence.py::test_snow_darkens_both_polarisations",),
    ),
    Mutation(
        name="radar shadow taken for water",
        file=f"{LIBRARY}/domain/evidence.py",
        old="(vv < WATER_VV_DB) & ~(slope >= WATER_SLOPE_DEG)",
        new="vv < WATER_VV_DB",
        tests=("tests/unit/test_evidence.py::test_dark_level_ground_is_water_and_dark_slopes_are_not",),
    ),
    Mutation(
        name="strips at the edge left out of the extent",
        file=f"{LIBRARY}/adapters/renderer/areas.py",
        old="        outlines += [outline for",
        new="        outlines += [outline for _ in edges[:0] for",
        tests=("tests/unit/test_edges.py::test_areas_hold_the_strips_too",),
    ),
    Mutation(
        name="412 ignored: a failed precondition taken for success",
        file=f"{LIBRARY}/adapters/gcs_store.py",
        old='return standing is not None and (standing.metadata or {}).get("write") == mark',
        new="return standing is not None",
        tests=("tests/contract/test_stores.py::test_create_writes_once[gcs]",),
    ),
    Mutation(
        name="precondition dropped in the local Cloud Storage",
        file="infra/local/storage/preconditions.py",
        old="if self.generation_match is not None and self.generation_match != (generation or 0):",
        new="if False:",
        tests=("tests/contract/test_stores.py::test_of_twelve_concurrent_creates_one_wins[gcs]",),
    ),
    Mutation(
        name="outbox skipped: acts without writing the intent",
        file=f"{LIBRARY}/usecases/outbox.py",
        old="if not state.create(name, pending, JSON):",
        new="if state.read(name) is not None:",
        tests=("tests/unit/test_outbox.py::test_intent_stands_written_while_it_is_acted_on",),
    ),
    Mutation(
        name="outbox impatient: a pending intent is acted on at once",
        file=f"{LIBRARY}/usecases/outbox.py",
        old=' or now - datetime.fromisoformat(document["since"]) < PATIENCE',
        new="",
        tests=("tests/unit/test_outbox.py::test_who_comes_meanwhile_does_not_act",),
    ),
    Mutation(
        name="dead letter swallowed when its topic does not answer",
        file=f"{LIBRARY}/usecases/delivery.py",
        old="        bus.publish(dead_letter_topic(",
        new='        with __import__("contextlib").suppress(Exception): bus.publish(dead_letter_topic(',
        tests=("tests/unit/test_delivery.py::test_dead_letter_that_cannot_be_published_is_raised",),
    ),
    Mutation(
        name="permanent error taken for a transient one: redelivered for ever",
        file=f"{LIBRARY}/telemetry.py",
        old="            record(error, facts)\n",
        new="            record(error, facts)\n            raise error\n",
        tests=("tests/unit/test_delivery.py::test_permanent_error_is_written_once_shown_and_acknowledged",),
    ),
    Mutation(
        name="latest pointer may go from final to provisional",
        file=f"{LIBRARY}/usecases/render_event.py",
        old='return bool(standing["finality"] == "final")',
        new="return False",
        tests=("tests/unit/test_merge_detections.py::test_pointer_never_goes_back_from_final",),
    ),
    Mutation(
        name="subscribers told before the page is there",
        file=f"{LIBRARY}/usecases/merge_detections.py",
        old="    judgement = judge(run, final, detector.state)\n",
        new="""    judgement = judge(run, final, detector.state)
    detector.results.create(detections_name(run, final), dumps(detections_geojson(judgement)), GEOJSON)
""",
        tests=("tests/unit/test_detect_cells.py::test_notified_geojson_is_written_last",),
    ),
    Mutation(
        name="a cell left to the handler of its first shard instead of its last: some are never scored",
        file=f"{LIBRARY}/usecases/detect_cells.py",
        old="return max((generations[name], name) for name in names)",
        new="return min((generations[name], name) for name in names)",
        tests=("tests/unit/test_detect_cells.py::test_each_cell_is_scored_once_however_shards_arrive",),
    ),
    Mutation(
        name="a retried export reuses its request id",
        file=f"{LIBRARY}/usecases/start_export.py",
        old='uuid.uuid5(NAMESPACE, f"{composite.path}/{attempt}")',
        new="uuid.uuid5(NAMESPACE, composite.path)",
        tests=(
            "tests/unit/test_advance_watch.py::test_failed_and_lost_exports_are_tried_three_times_with_new_request_ids",
        ),
    ),
    Mutation(
        name="SIMULATED left out of the GeoJSON",
        file=f"{LIBRARY}/domain/report.py",
        old='        "data_notice": composite.data_notice,\n',
        new='        "data_notice": "",\n',
        tests=("tests/unit/test_report.py::test_the_collection_names_model_scenes_and_notices",),
    ),
    Mutation(
        name="a green landslide alert keeps an earthquake from being announced",
        file=f"{LIBRARY}/usecases/settle_earthquake.py",
        old="area = _area(quake, grid) if verdict.is_taken else None",
        new='area = _area(quake, grid) if verdict.is_taken and detail.landslide_alert != "green" else None',
        tests=("tests/unit/test_poll_identity.py::test_landslide_alert_is_kept_and_decides_nothing",),
    ),
    Mutation(
        name="the rule forgets that a depth has a limit",
        file=f"{LIBRARY}/domain/rule.py",
        old="    if quake.depth_km > limit.depth_km:",
        new="    if quake.depth_km > 1000.0:",
        tests=("tests/unit/test_rule.py::test_refusal_says_why",),
    ),
    Mutation(
        name="slopes flattened the wrong way: those facing the sensor brightened",
        file=f"{LIBRARY}/adapters/earth_engine/terrain.py",
        old="factor = upright.add(seen.alpha_range).tan()",
        new="factor = upright.subtract(seen.alpha_range).tan()",
        tests=("tests/contract/test_terrain.py::test_planes_are_flattened_as_worked_out_by_hand",),
    ),
    Mutation(
        name="surface model without the slope along the flight",
        file=f"{LIBRARY}/adapters/earth_engine/terrain.py",
        old="factor = upright.cos().divide(seen.alpha_azimuth.cos().multiply(upright.add(seen.alpha_range).cos()))",
        new="factor = upright.cos().divide(upright.add(seen.alpha_range).cos())",
        tests=("tests/contract/test_terrain.py::test_planes_are_flattened_as_worked_out_by_hand",),
    ),
    Mutation(
        name="buffer compared with a distance that is squared",
        file=f"{LIBRARY}/adapters/earth_engine/terrain.py",
        old="squared.lte(reach_px**2)",
        new="squared.lte(reach_px)",
        tests=(
            "tests/contract/test_terrain.py::test_layover_shadow_and_incidence_equal_the_reference_on_every_pixel[ascending-25]",
        ),
    ),
    Mutation(
        name="look azimuth as the mean of numbers: 359 and 1 degrees give south",
        file=f"{LIBRARY}/adapters/earth_engine/terrain.py",
        old='parts = aspect.cos().rename("north").addBands(aspect.sin().rename("east"))',
        new="""found = aspect.reduceRegion(ee.Reducer.mean(), region(composite), scale_m, composite.lattice.crs)
    mean = ee.Image.constant(ee.Number(found.get("aspect")))
    parts = mean.cos().rename("north").addBands(mean.sin().rename("east"))""",
        tests=("tests/contract/test_terrain.py::test_look_azimuth_about_north_is_north",),
    ),
    Mutation(
        name="treatment of terrain left out of the composite's name",
        file=f"{LIBRARY}/domain/composite.py",
        old="(series, cut, *terrain.parts)",
        new="(series, cut)",
        tests=("tests/unit/test_composite.py::test_id_depends_on_everything_that_changes_pixels",),
    ),
    Mutation(
        name="composite by hand exported anew at every call",
        file=f"{LIBRARY}/usecases/composite_by_hand.py",
        old="if export.state in (ExportState.PENDING, ExportState.RUNNING):",
        new="if False:",
        tests=("tests/unit/test_composite_by_hand.py::test_asked_twice_exports_once",),
    ),
    Mutation(
        name="day's book keeps the estimate of an export that ended",
        file=f"{LIBRARY}/usecases/book_export.py",
        old="    if day is not None:\n",
        new="    if day is None:\n",
        tests=("tests/unit/test_exports.py::test_what_an_export_used_is_in_the_book_of_its_day_too",),
    ),
    Mutation(
        name="estimate learnt twice from one export",
        file=f"{LIBRARY}/usecases/book_export.py",
        old='others = [other for other in book["finished"] if other["export"] != export_id]',
        new='others = list(book["finished"])',
        tests=("tests/unit/test_exports.py::test_estimate_learns_from_exports_that_ended",),
    ),
    Mutation(
        name="aftershock maps the same ground again: never linked",
        file=f"{LIBRARY}/domain/linked_shocks.py",
        old="    return min(mains, key=rank, default=None)",
        new="    return None",
        tests=("tests/unit/test_linked_shocks.py::test_weak_aftershock_is_linked_and_opens_no_watch",),
    ),
    Mutation(
        name="aftershock swallowed although its area reaches far beyond",
        file=f"{LIBRARY}/domain/linked_shocks.py",
        old="if _precedes(main, shock) and not widens(shock, main)]",
        new="if _precedes(main, shock)]",
        tests=(
            "tests/unit/test_linked_shocks.py::test_aftershock_that_widens_the_area_opens_a_watch_and_both_say_so[0.95-open]",
        ),
    ),
    Mutation(
        name="quake linked to an area that a person drew without an earthquake",
        file=f"{LIBRARY}/domain/linked_shocks.py",
        old="    return case.standing in (Standing.OPEN, Standing.CLOSED) and case.magnitude is not None",
        new="    return case.standing in (Standing.OPEN, Standing.CLOSED)",
        tests=("tests/unit/test_linked_shocks.py::test_area_that_a_person_drew_takes_no_earthquake_in",),
    ),
    Mutation(
        name="series of a withdrawn shock dropped with its composites",
        file=f"{LIBRARY}/domain/linked_shocks.py",
        old="    times = [time for time in main.later_times if not time.shock or _names(time, ordered)]",
        new="    times = [time for time in main.later_times if not time.shock]",
        tests=("tests/unit/test_linked_shocks.py::test_series_with_orders_outlives_its_shock_and_says_so",),
    ),
    Mutation(
        name="linked watches not read again after the last write",
        file=f"{LIBRARY}/usecases/link_shocks.py",
        old="            changed.add(case.event_id)\n",
        new="            changed.add(case.event_id)\n        return sorted(changed - {event_id})\n",
        tests=("tests/unit/test_linked_shocks_model.py::test_two_deliveries_at_once_end_as_one_after_the_other",),
    ),
    Mutation(
        name="ended watch changed without its generation: one of two changes is lost",
        file=f"{LIBRARY}/usecases/keep_watch.py",
        old="    name = kept.name if kept else object_names.watch(watch.event_id)\n",
        new="    name = object_names.watch(watch.event_id)\n    kept = None if kept and kept.name != name else kept\n",
        tests=("tests/unit/test_watch.py::test_of_two_changes_of_an_ended_watch_one_is_lost_and_says_so",),
    ),
    Mutation(
        name="grid's field indexes believed: a column that is not there",
        file=f"{LIBRARY}/documents/shakemap.py",
        old="    if sorted(fields.values()) != list(range(len(fields))):",
        new="    if False:",
        tests=("tests/unit/test_grid_fuzz.py::test_any_attribute_may_say_anything",),
    ),
    Mutation(
        name="one damaged product takes all others with it",
        file=f"{LIBRARY}/documents/products.py",
        old="AttributeError, OverflowError):\n        return None\n",
        new="AttributeError, OverflowError):\n        raise\n",
        tests=("tests/unit/test_usgs_fuzz.py::test_damaged_product_does_not_count_and_the_others_do",),
    ),
    Mutation(
        name="a later release's document read as if it were today's",
        file=f"{LIBRARY}/documents/version.py",
        old="        if version > self.version:",
        new="        if False:",
        tests=("tests/unit/test_rollback.py::test_watch_of_a_later_release_is_redelivered_until_that_release_is_back",),
    ),
    Mutation(
        name="a document of the previous release not migrated",
        file=f"{LIBRARY}/documents/version.py",
        old="        for step in range(version, self.version):",
        new="        for step in range(0):",
        tests=("tests/unit/test_versions.py::test_what_the_previous_release_wrote_is_read_and_written_in_todays_form",),
    ),
    Mutation(
        name="a subscription's filter changed under its name",
        file="infra/plan_guard.py",
        old='    return changed or (["form"] if "delete" in change["actions"] else [])',
        new="    return []",
        tests=("infra/tests/test_plan_guard.py::test_what_cannot_change_under_a_name_is_refused",),
    ),
    Mutation(
        name="sweep hands out watches by name instead of oldest first",
        file=f"{LIBRARY}/usecases/sweep.py",
        old="key=lambda item: (item.generation, item.name)",
        new="key=lambda item: item.name",
        tests=("tests/unit/test_exports.py::test_five_hundred_watches_are_handed_out_oldest_first",),
    ),
    Mutation(
        name="buffer of layover lets shadow be counted twice",
        file=f"{LIBRARY}/adapters/earth_engine/terrain.py",
        old=".And(is_layover.Not()).updateMask(known)",
        new=".updateMask(known)",
        tests=(
            "tests/contract/test_terrain.py::test_layover_shadow_and_incidence_equal_the_reference_on_every_pixel[ascending-25]",
        ),
    ),
    Mutation(
        name="of two ids of one quake the younger is kept",
        file=f"{LIBRARY}/usecases/settle_earthquake.py",
        old="    kept, *others = sorted(found, key=age)\n",
        new="    *others, kept = sorted(found, key=age)\n",
        tests=(
            "tests/unit/test_poll_identity.py::test_two_announced_quakes_that_turn_out_to_be_one_are_merged_into_the_older",
        ),
    ),
    Mutation(
        name="an older feed from a cache taken for a restored earthquake",
        file=f"{LIBRARY}/usecases/settle_earthquake.py",
        old="    return quake if quake.updated > entry.updated else None",
        new="    return quake",
        tests=(
            "tests/unit/test_poll_identity.py::test_deleted_quake_is_cancelled_once_and_announced_again_when_restored",
        ),
    ),
    Mutation(
        name="a restored earthquake told as a cache has it",
        file=f"{LIBRARY}/usecases/settle_earthquake.py",
        old="        return max(quake, found, key=lambda known: known.updated)",
        new="        return quake",
        tests=(
            "tests/unit/test_poll_identity.py::test_restored_quake_is_told_as_it_stands_now_whatever_a_cache_still_serves",
        ),
    ),
    Mutation(
        name="an older feed under a former preferred id taken for news",
        file=f"{LIBRARY}/usecases/settle_earthquake.py",
        old="    if newest < entry.updated:  #",
        new="    if newest < entry.updated and quake.preferred_id == entry.preferred_id:  #",
        tests=("tests/unit/test_poll_identity.py::test_older_feed_under_a_former_preferred_id_takes_nothing_back",),
    ),
)
